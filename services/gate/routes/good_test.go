package routes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

// answers are the observed answers to each charged route: some that are worth the credits, and 200s that are not,
// because the model failed or said {}.
var answers = map[string]struct{ good, hollow []string }{
	"POST /api/v1/resumes/upload":                {good: processed("ready"), hollow: unprocessed},
	"POST /api/v1/resumes/{id}/retry-processing": {good: processed("ready"), hollow: unprocessed},
	"POST /api/v1/enrichment/analyze/{id}": {
		good: []string{
			`{"items_to_enrich":[{"item_id":"exp_0","title":"Clerk"}],"questions":[],"analysis_summary":null}`,
			`{"items_to_enrich":[],"questions":[],"analysis_summary":"Nothing is missing."}`,
		},
		hollow: []string{
			`{"items_to_enrich":[],"questions":[],"analysis_summary":null}`,
			`{"items_to_enrich":[],"questions":[],"analysis_summary":" "}`,
			`{"items_to_enrich":[{"item_id":"","current_description":[]}],"questions":[{"question":"Which?"}]}`,
		},
	},
	"POST /api/v1/resume-wizard/turn": {
		good: []string{
			wizard("question", `{"personalInfo":{"name":"Anna Example","title":"Clerk"}}`),
			wizard("question", `{"workExperience":[{"id":1,"title":"Clerk"}]}`),
			wizard("question", `{"additional":{"technicalSkills":["Go"]}}`),
		},
		hollow: []string{
			wizard("question", `{"personalInfo":{"name":""},"summary":"","workExperience":[],"additional":{"awards":[]}}`),
			wizard("question", `{"personalInfo":{"name":"Anna Example","title":""}}`), // found without the model
			wizard("question", `{"sectionMeta":[{"displayName":"Summary"}]}`),
			wizard("review", `{"summary":"A clerk."}`), // past the last question, without the model
			`{"state":null}`,
		},
	},
	"POST /api/v1/resumes/improve/preview": {
		good: []string{`{"data":{"resume_preview":{},"diff_summary":{"total_changes":7},"warnings":["one part failed"]}}`},
		hollow: []string{
			`{"data":{"diff_summary":{"total_changes":0},"warnings":["No changes were applied"]}}`,
			`{"data":{"diff_summary":{"total_changes":"7"}}}`, `{"data":{"diff_summary":{"total_changes":-1}}}`,
			`{"data":{"diff_summary":null}}`, `{"data":{"resume_preview":{"summary":"A clerk."}}}`,
		},
	},
	"POST /api/v1/enrichment/enhance": {
		good: []string{
			`{"enhancements":[{"item_id":"exp_0","enhanced_description":["Led a team."]}]}`,
			`{"enhancements":[{"enhanced_description":[]},{"enhanced_description":["Led a team."]}]}`,
		},
		hollow: []string{
			`{"enhancements":[]}`, `{"enhancements":[{"item_id":"exp_0","title":"Clerk","enhanced_description":[]}]}`,
			`{"enhancements":[{"enhanced_description":["", " "]}]}`, `{"enhancements":{"enhanced_description":["Led."]}}`,
		},
	},
	"POST /api/v1/enrichment/regenerate": {
		good: []string{`{"regenerated_items":[{"item_id":"exp_0","new_content":["Led a team."]}],"errors":[]}`},
		hollow: []string{
			`{"regenerated_items":[],"errors":[{"item_id":"exp_0"}]}`, `{"regenerated_items":[{"new_content":[]}]}`,
			`{"regenerated_items":[{"original_content":["Led."],"new_content":[""],"diff_summary":"none"}]}`,
		},
	},
	"POST /api/v1/resumes/{id}/generate-cover-letter": {good: letters, hollow: noLetters},
	"POST /api/v1/resumes/{id}/generate-outreach":     {good: letters, hollow: noLetters},
	"POST /api/v1/resumes/{id}/generate-interview-prep": {
		good: []string{`{"interview_prep":{"role_fit_analysis":["A good fit."],"skill_gaps":[]},"message":"ok"}`},
		hollow: []string{
			`{"interview_prep":{"role_fit_analysis":[],"resume_questions":[],"talking_points":[]},"message":"ok"}`,
			`{"interview_prep":null,"message":"ok"}`, `{"message":"ok"}`,
		},
	},
}

var (
	// rubbish is good for no route.
	rubbish = []string{"{}", "null", "[]", `"ready"`, "", "<html>ready</html>", `{"detail":"failed"}`}

	unprocessed = append(processed("failed"), processed("processing")...)
	letters     = []string{`{"content":"Dear Ms Example","message":"ok"}`}
	noLetters   = []string{
		`{"content":"","message":"ok"}`, `{"content":" \n\u200b","message":"ok"}`, `{"content":null}`, `{"message":"ok"}`,
	}
)

func processed(status string) []string {
	return []string{`{"message":"stored","request_id":"r","resume_id":"0190","processing_status":"` + status + `"}`}
}

func wizard(step, resume string) string {
	return `{"state":{"step":"` + step + `","resume_data":` + resume + `,"current_question":{"text":"What next?"}}}`
}

// A charged rule without a good and a hollow answer fails.
func TestPresetTellsGoodAnswers(t *testing.T) {
	t.Parallel()
	rules := map[string]bool{}
	for _, rule := range parsePreset(t).Rules() {
		if rule.Kind != routes.Charged {
			if isGood(rule, 200, jsonType, []byte(`{}`)) {
				t.Errorf("%s: an answer is good, but the preset does not charge for it", rule.Name())
			}
			continue
		}
		rules[rule.Name()] = true
		known := answers[rule.Name()]
		if len(known.good) == 0 || len(known.hollow) == 0 {
			t.Errorf("%s has %d good and %d hollow answers, want one of each", rule.Name(), len(known.good), len(known.hollow))
		}
		for _, body := range known.good {
			checkGood(t, rule, body)
		}
		for _, body := range slices.Concat(known.hollow, rubbish) {
			if isGood(rule, 200, jsonType, []byte(body)) {
				t.Errorf("%s: %s is good, want hollow", rule.Name(), body)
			}
		}
	}
	for name := range answers {
		if !rules[name] {
			t.Errorf("%s has answers, but the preset does not charge for it", name)
		}
	}
}

// checkGood checks that an answer is good, and that it is not when anything around its content is wrong.
func checkGood(t *testing.T, rule *routes.Rule, body string) {
	t.Helper()
	for _, status := range []int{200, 201} {
		if !isGood(rule, status, jsonType, []byte(body)) {
			t.Errorf("%s: %d %s is hollow, want good", rule.Name(), status, body)
		}
	}
	for _, status := range []int{0, 100, 101, 199, 300, 304, 307, 400, 401, 402, 404, 409, 422, 429, 500, 502, 503, 504} {
		if isGood(rule, status, jsonType, []byte(body)) {
			t.Errorf("%s: status %d is good, want only 2xx", rule.Name(), status)
		}
	}
	for _, contentType := range []string{"", "text/html", "text/event-stream", "application/json, text/html"} {
		if isGood(rule, 200, contentType, []byte(body)) {
			t.Errorf("%s: Content-Type %q is good, want only JSON", rule.Name(), contentType)
		}
	}
	for what, broken := range map[string]string{
		"cut":       body[:len(body)-1],
		"twice":     body + body,
		"ambiguous": fmt.Sprintf(`{"request_id":1,"request_id":2,%s`, body[1:]),
	} {
		if isGood(rule, 200, jsonType, []byte(broken)) {
			t.Errorf("%s: an answer that is %s is good", rule.Name(), what)
		}
	}
}

// isGood reports whether an answer is good. One that cannot be read is not.
func isGood(rule *routes.Rule, status int, contentType string, body []byte) bool {
	is, err := rule.Good(status, contentType, body)
	return is && err == nil
}

// A success whose text browsers read and we do not must not reach them. A failure may.
func TestAnswersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	rule := match(t, parsePreset(t), "POST", "/api/v1/resumes/0190/generate-outreach")
	letter := func(rest string) string { return `{"content":"Dear Ms Example"` + rest + `}` }
	for what, body := range map[string]string{
		"a field twice":   letter(`,"content":"Dear Ms Example"`),
		"too many values": letter(`,"x":[` + strings.Repeat("0,", 100_000) + `0]`),
		"too deep":        letter(`,"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)),
		"not UTF-8":       letter(`,"x":"` + "\xff" + `"`),
		"no JSON":         "Dear Ms Example",
		"nothing":         "",
	} {
		if is, err := rule.Good(200, jsonType, []byte(body)); is || fault.Of(err) == nil {
			t.Errorf("%s: good = %v, error %v; want an error", what, is, err)
		}
		if is, err := rule.Good(500, jsonType, []byte(body)); is || err != nil {
			t.Errorf("%s with status 500: good = %v, error %v; want neither", what, is, err)
		}
	}
}

func TestGoodLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct{ good, hollow []string }{
		"{fields: [a], present: true}": {
			[]string{`{"a":0}`, `{"a":""}`, `{"a":[]}`}, []string{`{"a":null}`, `{"A":1}`, `{}`},
		},
		"{fields: [a], equals: yes}": {
			[]string{`{"a":"yes"}`}, []string{`{"a":true}`, `{"a":"Yes"}`, `{"a":["yes"]}`},
		},
		"{fields: [a], equals: true}": {
			[]string{`{"a":true}`, `{"a":"true"}`}, []string{`{"a":false}`, `{"a":1}`},
		},
		"{fields: [a], equals: 2}": {
			[]string{`{"a":2}`}, []string{`{"a":2.0}`, `{"a":null}`},
		},
		"{fields: [a.b], more_than: 0.5}": {
			[]string{`{"a":{"b":0.6}}`, `{"a":{"b":1e3}}`},
			[]string{`{"a":{"b":0.5}}`, `{"a":[{"b":1}]}`, `{"a":{"b":1e999}}`},
		},
		"{fields: ['a[].b[]'], not_empty: true}": {
			[]string{`{"a":[1,{"b":[]},{"b":["x"]}]}`}, []string{`{"a":[{"b":"x"}]}`, `{"a":[]}`},
		},
		"{fields: [a], not_empty: true}": {
			[]string{`{"a":{"b":[{"c":"x"}]}}`}, []string{`{"a":7}`, `{"a":true}`, `{"a":{"x":""}}`},
		},
		"{fields: [a, b], not_empty: true}": {
			[]string{`{"a":"","b":"x"}`, `{"a":"x"}`}, []string{`{"c":"x"}`},
		},
		"{fields: [a], present: true}, {fields: [b], present: true}": {
			[]string{`{"a":1,"b":1}`}, []string{`{"a":1}`, `{"b":1}`},
		},
	} {
		rule := match(t, parse(t, charged+"    good: ["+line+"]\n"), "POST", "/api/v1/work")
		for _, body := range want.good {
			if !isGood(rule, 200, jsonType, []byte(body)) {
				t.Errorf("%s: %s is hollow, want good", line, body)
			}
		}
		for _, body := range want.hollow {
			if isGood(rule, 200, jsonType, []byte(body)) {
				t.Errorf("%s: %s is good, want hollow", line, body)
			}
		}
	}
}

// charged is a table whose last rule wants its good answer.
const charged = `version: 1
rules:
  - is: charged
    feature: job_match
    routes: [POST /api/v1/work]
`
