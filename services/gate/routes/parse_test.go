package routes_test

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/gate/routes"
)

const (
	head  = "version: 1\nrules:\n"
	good  = "good: [{fields: [a], present: true}]"
	paid  = "is: charged, feature: job_match, "
	route = "routes: [POST /api/v1/a]"

	oneHour = "passes: {a: {uses: 1, lifetime: 1h}}\n"
)

// rule is a table with a valid rule and this one, on line 4.
func rule(text string) string {
	return head + "  - {is: free, routes: [GET /api/v1/first]}\n  - {" + text + "}\n"
}

// Each refusal names the line and the rule.
func TestParseRefusesRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rule, says string }{
		"no kind":                 {route, `is "", must be one of`},
		"an unknown kind":         {"is: paid, " + route, `is "paid", must be one of`},
		"no routes":               {"is: free", "has no routes"},
		"no feature":              {"is: charged, " + good + ", " + route, `feature "" is unknown`},
		"an unknown feature":      {"is: charged, feature: chat, " + good + ", " + route, `feature "chat" is unknown`},
		"no good answer":          {paid + route, "says what a good answer is"},
		"a price without charge":  {"is: free, feature: job_match, " + route, "only charged rules"},
		"an answer without price": {"is: free, " + good + ", " + route, "only charged rules"},
		"an unknown pass":         {paid + good + ", uses_pass: x, " + route, `pass "x" is unknown`},
		"no pass":                 {"is: pass, " + route, "rules of kind pass use a pass"},
		"a huge body":             {"is: free, body_mib: 17, " + route, "body_mib is 17"},
		"a negative body":         {"is: free, body_mib: -1, " + route, "body_mib is -1"},
		"no items":                {"is: free, most_items: {a: 0}, " + route, `most_items: "a" with 0`},
		"items of no field":       {"is: free, most_items: {\"a[]\": 1}, " + route, `most_items: "a[]"`},
		"a negative day":          {"is: free, daily: -1, " + route, "daily is -1"},
		"a charged day":           {paid + good + ", daily: 2, " + route, "only free rules have daily"},
		"a condition of no day":   {"is: free, daily_if_missing: [a], " + route, "only free rules have daily"},
		"a day for no field":      {"is: free, daily: 2, daily_if_missing: [a b], " + route, `"a b" is not a field`},
		"half a choice":           {paid + good + ", choice: {field: a, charged: [b]}, " + route, "choice needs"},
		"a choice without field":  {paid + good + ", choice: {charged: [b], free: [c]}, " + route, "choice needs"},
		"a contradiction":         {paid + good + ", choice: {field: a, charged: [b], free: [b]}, " + route, "both"},
		"a line of two tests":     {paid + "good: [{fields: [a], present: true, equals: b}], " + route, "line 1: needs"},
		"a line of no test":       {paid + "good: [{fields: [a]}], " + route, "good, line 1: needs"},
		"a line of no fields":     {paid + "good: [{present: true}], " + route, "good, line 1: needs"},
		"a line of an odd field":  {paid + "good: [{fields: [a..b], present: true}], " + route, `"a..b" is not a field`},
		"an unknown method":       {"is: free, routes: [TRACE /api/v1/a]", `"TRACE" is not a method`},
		"a method in small":       {"is: free, routes: [post /api/v1/a]", `"post" is not a method`},
		"no path":                 {"is: free, routes: [GET]", "is not a path"},
		"an encoded path":         {"is: free, routes: [GET /api/v1/%61]", "is not a path"},
		"a trailing slash":        {"is: free, routes: [GET /api/v1/a/]", "is not a path"},
		"another case of the API": {"is: closed, routes: [GET /API/**]", "is not a path"},
		"a dot segment":           {"is: free, routes: [GET /api/../a]", "is not a path"},
		"a half parameter":        {"is: free, routes: [\"GET /api/v1/{id\"]", "is not a path"},
		"a parameter within":      {"is: free, routes: [\"GET /api/v1/a{id}\"]", "is not a path"},
		"a parameter before **":   {"is: operator, routes: [\"GET /api/v1/{id}/**\"]", "is not a path"},
		"a free part of the API":  {"is: free, routes: [GET /api/v1/**]", "only operator and closed"},
		"the whole site with API": {"is: free, routes: [GET /api/**]", "only operator and closed"},
		"a page that posts":       {"is: free, routes: [POST /a/**]", "a rule for pages has GET and HEAD"},
		"a page without **":       {"is: free, routes: [GET /a]", "a rule for pages has GET and HEAD"},
		"a charged GET":           {paid + good + ", routes: [GET /api/v1/a]", "a link could trigger it"},
		"nothing but a name":      {"is: ", `is "", must be one of`},
		"an empty choice":         {paid + good + ", choice: , " + route + ", uses_pass: x", `pass "x" is unknown`},
		"an empty line":           {paid + "good: [{}], " + route, "good, line 1: needs"},
		"a second rule":           {"is: closed, routes: [GET /api/v1/first]", "GET /api/v1/first has two rules"},
		"a second whole rule":     {"is: open, routes: [GET /a/**, GET /A/**]", "GET /A/** has two rules"},
		"another parameter":       {"is: free, routes: [\"GET /api/{a}\", \"GET /api/{b}\"]", "GET /api/{b} has two rules"},
		"a long path":             {"is: free, routes: [GET /api/" + strings.Repeat("a", 192) + "]", "at most 200 bytes"},
		"an ambiguous rule":       {"is: free, routes: [\"GET /api/a/{b}\", \"GET /api/{a}/b\"]", "/api/{a}/b is ambiguous"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			_, err := routes.Parse([]byte(rule(c.rule)), features)
			if err == nil || !strings.Contains(err.Error(), "line 4, rule 2") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v, want line 4, rule 2, %s", err, c.says)
			}
		})
	}
}

func TestParseRefusesTables(t *testing.T) {
	t.Parallel()
	valid := rule("is: free, " + route)
	for name, c := range map[string]struct{ table, says string }{
		"nothing":                   {"", "EOF"},
		"no YAML":                   {"version: [", "route table: yaml"},
		"no version":                {"rules:\n  - {is: free, " + route + "}\n", "version 0 is unknown"},
		"a newer version":           {strings.Replace(valid, "version: 1", "version: 2", 1), "version 2 is unknown"},
		"an empty rule":             {valid + "  - ~\n", "has an empty rule"},
		"no rules":                  {"version: 1\n", "has no rules"},
		"two documents":             {valid + "---\n" + valid, "more than one document"},
		"an unknown name":           {valid + "default: free\n", "line 5: field default not found"},
		"an unknown name in a rule": {rule("is: free, price: 3, " + route), "line 4: field price not found"},
		"a name twice":              {rule("is: free, is: open, " + route), `line 4: mapping key "is" already defined`},
		"a word for a number":       {rule("is: free, daily: many, " + route), "line 4: cannot unmarshal"},
		"too much":                  {valid + "#" + strings.Repeat("x", 256<<10), "at most 262144"},
		"an empty pass":             {valid + "passes: {a: }\n", `pass "a": has no terms`},
		"a pass without uses":       {valid + "passes: {a: {lifetime: 1h}}\n", `pass "a": uses is 0`},
		"a pass without lifetime":   {valid + "passes: {a: {uses: 1}}\n", `pass "a": lifetime is 0s`},
		"an eternal pass":           {valid + "passes: {a: {uses: 1, lifetime: 9000h}}\n", `pass "a": lifetime is 9000h`},
		"a pass for no field":       {valid + "passes: {a: {uses: 1, lifetime: 1h, subject: b c}}\n", `"b c" is not a field`},
		"a pass that none opens":    {rule("is: pass, uses_pass: a, "+route) + oneHour, `pass "a" needs a rule`},
		"a pass that none uses":     {rule(paid+good+", opens_pass: a, "+route) + oneHour, `pass "a" needs a rule`},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			_, err := routes.Parse([]byte(c.table), features)
			if err == nil || !strings.HasPrefix(err.Error(), "route table") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v, want %s", err, c.says)
			}
		})
	}
}

func TestParseAcceptsWhatItMay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		rule("is: free, " + route),
		rule("is: free, routes: [\"GET|HEAD /api/v1/{id}\", GET /api/v1/second]"), // a literal is more specific
		rule("is: operator, routes: [GET /api/v1/**, GET|HEAD /**]"),
		rule("is: closed, routes: [GET /api/**]"),
		string(routes.Preset()),
	} {
		if _, err := routes.Parse([]byte(text), features); err != nil {
			t.Errorf("%v, want valid:\n%s", err, text)
		}
	}
}

// A feature that was removed stops the start.
func TestParseRefusesThePresetWithoutItsFeatures(t *testing.T) {
	t.Parallel()
	if _, err := routes.Parse(routes.Preset(), []string{"resume_analysis", "job_match"}); err == nil ||
		!strings.Contains(err.Error(), `feature "resume_improvement" is unknown`) {
		t.Errorf("error = %v, want an unknown feature", err)
	}
}

// No table, however odd, is accepted with a rule that charges for nothing or for any answer.
func FuzzParse(f *testing.F) {
	f.Add(rule("is: free, " + route))
	f.Add(rule(paid+good+", uses_pass: a, opens_pass: a, "+route) + "passes: {a: {uses: 1, lifetime: 1h, subject: b}}\n")
	f.Add(rule("is: free, daily: 2, daily_if_missing: [a], most_items: {a: 1}, body_mib: 2, " + route))
	f.Add(head + "  - &a {is: closed, routes: [GET /api/**]}\n  - *a\n  - ~\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := routes.Parse([]byte(text), features)
		if err != nil {
			return
		}
		for _, rule := range table.Rules() {
			if rule.Kind == routes.Charged && (rule.Feature == "" || isGood(rule, 200, jsonType, []byte("{}"))) {
				t.Errorf("%s is charged without a feature or for any answer", rule.Name())
			}
		}
	})
}
