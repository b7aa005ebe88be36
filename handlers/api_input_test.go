package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

// oddNumbers are JSON values that are sent in place of an integer.
var oddNumbers = []string{"-1", "0", "1.5", "1e3", "1E0", "1.0", "-0", "9223372036854775808", "18446744073709551616",
	`"1"`, `"1 "`, `"+1"`, `"٣"`,
	"[1]", "{}", "true", "null", `""`}

// brokenNumbers are invalid JSON.
var brokenNumbers = []string{"NaN", "Infinity", "+1", "01", "0x1", "٣", "1 2", ".5", "1_000", "'1'", ""}

// checkInvalid requires 400 or 422 in the envelope; with a field, 422 that names it.
func (f *fixture) checkInvalid(what string, r reply, field string) {
	f.t.Helper()
	e := r.refusal(f.t)
	if r.status != 400 && r.status != 422 || e.Error.Code != "INVALID_REQUEST" {
		f.t.Errorf("%s: status %d %s, want 400 or 422", what, r.status, r.body)
	}
	if field != "" && (r.status != 422 || e.Error.Detail["field"] != field) {
		f.t.Errorf("%s: status %d %s, want 422 about %s", what, r.status, r.body, field)
	}
}

func TestNumbersAreReadStrictly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	user := f.user("ada@example.com", 100)
	cookie, before := "Cookie: "+f.signIn(user.ID), f.entryCount()
	for field, body := range map[string]string{"quantity": `{"priceId":"price_x","quantity":%s}`} {
		for _, n := range append(oddNumbers, "2147483648", "9007199254740992", "9223372036854775807", "101") {
			f.checkInvalid(field+" "+n, f.call("POST", "/api/checkout", fmt.Sprintf(body, n), cookie), field)
		}
		for _, n := range brokenNumbers {
			f.checkInvalid(field+" "+n, f.call("POST", "/api/checkout", fmt.Sprintf(body, n), cookie), "")
		}
	}
	for field, most := range map[string]string{"limit": "201", "cursor": ""} {
		for _, n := range []string{"-1", "0", "1.5", "1e3", "9223372036854775808", "1 ", " 1", "+1", "٣", "NaN", "[1]", "",
			"0x1", "1,2", "\x00", "\xff", most} {
			f.checkInvalid(field+" "+n,
				f.call("GET", "/api/credits/transactions?"+field+"="+url.QueryEscape(n), "", cookie), field)
		}
		f.checkInvalid("twice", f.call("GET", "/api/credits/transactions?"+field+"=1&"+field+"=2", "", cookie), field)
	}
	if r := f.call("GET", "/api/credits/transactions?cursor=9223372036854775807&limit=0200", "", cookie); r.status != 200 {
		t.Errorf("the largest cursor: status %d %s, want 200", r.status, r.body)
	}
	if n := f.entryCount(); n != before {
		t.Errorf("%d entries were posted, want 0", n-before)
	}
	var purchases int64
	if err := f.db.Raw(`SELECT count(*) FROM purchases`).Scan(&purchases).Error; err != nil || purchases != 0 {
		t.Errorf("%d purchases were started (%v), want 0", purchases, err)
	}
}

func TestAmbiguousInputIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.user("ada@example.com", 100)
	cookie, before := "Cookie: "+f.signIn(user.ID), f.entryCount()
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for name, c := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"an amount":               {`{"feature":"job_match","amount":1}`, 422, "amount"},
		"credits":                 {`{"feature":"job_match","credits":1}`, 422, "credits"},
		"a price":                 {`{"feature":"job_match","price":0}`, 422, "price"},
		"a field in another case": {`{"Feature":"job_match"}`, 422, "Feature"},
		"a field in both cases":   {`{"feature":"job_match","FEATURE":"resume_analysis"}`, 422, "FEATURE"},
		"a feature twice":         {`{"feature":"job_match","feature":"job_match"}`, 400, ""},
		"twice, once escaped":     {`{"feature":"job_match","\u0066eature":"job_match"}`, 400, ""},
		"a duplicate in metadata": {`{"feature":"job_match","metadata":{"a":[{"b":1,"b":2}]}}`, 400, ""},
		"a duplicate of many fields": {`{"feature":"job_match","metadata":{` + manyNames(100) + `,"n7":1}}`, 400,
			""},
		"too deep":                {`{"feature":"job_match","metadata":` + deep + `}`, 400, ""},
		"no feature":              {`{"metadata":{}}`, 422, "feature"},
		"a feature that is null":  {`{"feature":null}`, 422, "feature"},
		"a list of features":      {`{"feature":["job_match"]}`, 422, "feature"},
		"NUL in the feature":      {`{"feature":"job_match\u0000"}`, 422, "feature"},
		"NUL in metadata":         {`{"feature":"job_match","metadata":{"a":"\u0000"}}`, 422, "a"},
		"no UTF-8":                {"{\"feature\":\"job_match\xff\"}", 400, ""},
		"metadata that is a list": {`{"feature":"job_match","metadata":[]}`, 422, "metadata"},
		"metadata that is text":   {`{"feature":"job_match","metadata":"x"}`, 422, "metadata"},
		"metadata of 9 KiB": {`{"feature":"job_match","metadata":{"a":"` + strings.Repeat("x", 9<<10) +
			`"}}`, 422, "metadata"},
		"65 KiB": {`{"feature":"job_match","metadata":{"a":"` + strings.Repeat("x", 65<<10) +
			`"}}`, 413, ""},
		"a list":                    {`[{"feature":"job_match"}]`, 400, ""},
		"null":                      {`null`, 400, ""},
		"two objects":               {`{"feature":"job_match"}{}`, 400, ""},
		"a trailing comma":          {`{"feature":"job_match",}`, 400, ""},
		"a form":                    {`feature=job_match`, 400, ""},
		"the user's own id":         {fmt.Sprintf(`{"feature":"job_match","userId":%d}`, user.ID), 422, "userId"},
		"another's address":         {`{"feature":"job_match","email":"bob@example.com"}`, 422, "email"},
		"create":                    {`{"feature":"job_match","createUser":true}`, 422, "createUser"},
		"an unknown feature":        {`{"feature":"everything"}`, 422, "feature"},
		"a feature in another case": {`{"feature":"Job_Match"}`, 422, "feature"},
	} {
		r := f.call("POST", "/api/credits/spend", c.body, cookie)
		if e := r.refusal(t); r.status != c.status || c.field != "" && e.Error.Detail["field"] != c.field &&
			name != "NUL in metadata" {
			t.Errorf("%s: status %d %s, want %d about %q", name, r.status, r.body, c.status, c.field)
		}
	}
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"a field in the query and the body": {"/api/credits/spend?feature=resume_analysis", nil, 422},
		"a user in the query":               {"/api/credits/spend?userId=1", nil, 422},
		"text":                              {"/api/credits/spend", []string{"Content-Type: text/plain"}, 400},
		"no type":                           {"/api/credits/spend", []string{"Content-Type: "}, 400},
		"another JSON type": {"/api/credits/spend", []string{"Content-Type: application/merge-patch+json"},
			400},
		"compressed":             {"/api/credits/spend", []string{"Content-Encoding: gzip"}, 400},
		"two keys":               {"/api/credits/spend", []string{"Idempotency-Key: a", "Idempotency-Key: a"}, 400},
		"an empty key":           {"/api/credits/spend", []string{"Idempotency-Key: "}, 400},
		"a key of 256":           {"/api/credits/spend", []string{"Idempotency-Key: " + strings.Repeat("ä", 256)}, 400},
		"a key that is not text": {"/api/credits/spend", []string{"Idempotency-Key: \xff"}, 400},
	} {
		if r := f.call("POST", c.path, `{"feature":"job_match"}`, append(c.header, cookie)...); r.status != c.status {
			t.Errorf("%s: status %d %s, want %d", name, r.status, r.body, c.status)
		} else {
			r.refusal(t)
		}
	}
	if now := f.entryCount(); now != before {
		t.Errorf("%d entries were posted, want 0", now-before)
	}
	if r := f.call("POST", "/api/credits/spend", `{"feature":"job_match","metadata":null}`, cookie,
		"Content-Type: application/json; charset=utf-8", "Idempotency-Key: "+strings.Repeat("ä", 255)); r.status != 201 {
		t.Errorf("valid input: status %d %s, want 201", r.status, r.body)
	}
}

func manyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"n%d":%d`, i, i)
	}
	return strings.Join(names, ",")
}

func TestErrorsOfTheAPI(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cookie := "Cookie: " + f.signIn(f.user("ada@example.com", 100).ID)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api", 404, ""}, {"GET", "/api/", 404, ""}, {"GET", "/api/nothing", 404, ""},
		{"GET", "/api/Credits/balance", 404, ""}, {"PUT", "/api/credits/spend", 405, "POST"},
		{"GET", "/api/checkout", 405, "POST"},
		{"POST", "/api/credits/balance", 405, "GET"}, {"DELETE", "/api/credits/transactions", 405, "GET"},
	} {
		r := f.call(c.method, c.path, "", cookie, "Accept-Language: de")
		if e := r.refusal(t); r.status != c.status || r.header.Get("Allow") != c.allow ||
			r.header.Get("Content-Type") != "application/json" ||
			!strings.HasPrefix(e.Error.Message, "Diese ") {
			t.Errorf("%s %s: status %d, Allow %q, %s; want %d, %q in German", c.method, c.path, r.status, r.header.Get("Allow"),
				r.body,
				c.status, c.allow)
		}
	}
	t.Run("answers in the user's language", func(t *testing.T) {
		if err := f.db.Exec(`UPDATE users SET locale = 'de'`).Error; err != nil {
			t.Fatal(err)
		}
		if e := f.call("POST", "/api/credits/spend", `{"feature":"x"}`, cookie).
			refusal(t); !strings.Contains(e.Error.Message, "gibt es nicht") {
			t.Errorf("message = %q, want German", e.Error.Message)
		}
		if e := f.call("POST", "/api/credits/spend", `{"feature":"x"}`, cookie, "Accept-Language: en").
			refusal(t); !strings.Contains(e.Error.Message, "does not exist") {
			t.Errorf("message = %q, want the requested English", e.Error.Message)
		}
	})
	t.Run("never redirects to the sign-in page", func(t *testing.T) {
		r := f.call("GET", "/api/credits/balance", "")
		if e := r.refusal(t); r.status != 401 || r.header.Get("WWW-Authenticate") != "Bearer" ||
			e.Error.Detail["problem"] != string(fault.CallerUnknown) {
			t.Errorf("status %d %s, want 401 with the problem %s", r.status, r.body, fault.CallerUnknown)
		}
	})
}

func FuzzScanObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":{"c":[1,"x\\\"y",{"d":null}]}}`, `{"a":"\u0000"}`, `{"a":1,"a":2}`,
		`{"\"":1}`, `[{"a":1}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rules := &inputRules{fields: map[string]bool{"a": true}, open: true}
		if rules.checkBody(body) != nil {
			return
		}
		var fields map[string]any
		if err := parseJSON(body, &fields); err != nil {
			t.Fatalf("%q passes checkBody and does not parse: %v", body, err)
		}
		if names, err := scanObject(body); err != nil || len(names) != len(fields) {
			t.Fatalf("%q has %d fields, scanObject found %d (%v)", body, len(fields), len(names), err)
		}
	})
}
