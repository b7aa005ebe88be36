package routes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

// reading is the rule whose price depends on the body.
func reading(tb testing.TB) *routes.Rule {
	tb.Helper()
	return match(tb, parsePreset(tb), "POST", "/api/v1/applications")
}

func TestBodyIsDeclaredAsJSON(t *testing.T) {
	t.Parallel()
	rule := reading(t)
	for _, contentType := range []string{
		"application/json", "Application/JSON", "application/json; charset=utf-8", `application/json;charset="UTF-8"`,
	} {
		if _, err := rule.Inspect(contentType, []byte("{}")); err != nil {
			t.Errorf("Content-Type %q: %v, want accepted", contentType, err)
		}
	}
	for _, contentType := range []string{
		"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json5",
		"application/merge-patch+json", "application/json; charset=utf-16", "application/json; charset=utf-8; q=1",
		"application/json; version=1", "application/json, application/json", "application/json\x00",
		"application/json; charset",
	} {
		if _, err := rule.Inspect(contentType, []byte("{}")); err == nil {
			t.Errorf("Content-Type %q is accepted", contentType)
		} else {
			refused(t, err, fault.Malformed, fault.ContentTypeNotJSON)
		}
	}
}

func TestBodyIsReadOneWay(t *testing.T) {
	t.Parallel()
	const object = `{"company":"Example","role":"Clerk"}`
	wide := make([]byte, 0, 2*len(object))
	for _, b := range []byte(object) {
		wide = append(wide, b, 0)
	}
	for name, c := range map[string]struct {
		body    string
		code    fault.Code
		problem fault.Problem
	}{
		"UTF-16":             {string(wide), fault.Malformed, fault.BodyUnreadable},
		"UTF-16 with a mark": {"\xff\xfe" + string(wide), fault.Malformed, fault.BodyUnreadable},
		"a byte order mark":  {"\xef\xbb\xbf" + object, fault.Malformed, fault.BodyUnreadable},
		"invalid UTF-8":      {"{\"company\":\"\xff\"}", fault.Malformed, fault.BodyUnreadable},
		"two values":         {object + object, fault.Malformed, fault.BodyUnreadable},
		"a trailing comma":   {`{"company":"Example",}`, fault.Malformed, fault.BodyUnreadable},
		"a comment":          {`{/**/"company":"Example"}`, fault.Malformed, fault.BodyUnreadable},
		"single quotes":      {`{'company':'Example'}`, fault.Malformed, fault.BodyUnreadable},
		"NaN":                {`{"company":NaN}`, fault.Malformed, fault.BodyUnreadable},
		"an array":           {"[" + object + "]", fault.Malformed, fault.BodyUnreadable},
		"a text":             {`"company"`, fault.Malformed, fault.BodyUnreadable},
		"nothing":            {" ", fault.Malformed, fault.BodyUnreadable},
		"a name twice":       {`{"company":"Example","role":"Clerk","company":""}`, fault.Malformed, fault.FieldTwice},
		"an escaped twin":    {`{"company":"Example","c\u006fmpany":""}`, fault.Malformed, fault.FieldTwice},
		"a deep twin":        {`{"a":[{"b":{"c":1,"d":2,"c":3}}]}`, fault.Malformed, fault.FieldTwice},
		"65 levels":          {nested(65), fault.Malformed, fault.TooDeep},
		"too many levels":    {nested(9000), fault.Malformed, fault.TooDeep},
		"too many values":    {`{"a":[` + strings.Repeat("0,", 100_000) + `0]}`, fault.PayloadTooLarge, ""},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			_, err := reading(t).Inspect(jsonType, []byte(c.body))
			refused(t, err, c.code, c.problem)
		})
	}
	for _, body := range []string{nested(64), "\r\n\t {} \n", `{"Company":1,"company":2}`, `{"":{"":{"":0}}}`} {
		if _, err := reading(t).Inspect(jsonType, []byte(body)); err != nil {
			t.Errorf("%.60s: %v, want accepted", body, err)
		}
	}
}

// nested is an object with as many levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + "{}" + strings.Repeat("}", levels-1)
}

// Every valid body without a name twice is read as encoding/json reads it.
func FuzzBodyIsReadAsEncodingJSONDoes(f *testing.F) {
	for _, body := range []string{
		`{"a":[1,-2.5e3,true,false,null,"x\u0041\"\\",{}],"b":{"c":[[]]}}`, "{ \"a\" : [ 1 , 2 ] , \"b\" : \"\" }\n",
		`{"\ud83d\ude00":"\ud800","é":"\/"}`, `{"a":0}`, `{}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := routes.ReadObject(jsonType, body)
		if err != nil {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		var want map[string]any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("%q was read, but encoding/json says %v", body, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-encoding/json +ours):\n%s", body, diff)
		}
	})
}
