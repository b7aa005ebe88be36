package resumematcher_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

const bullet = "200 Built the card payment service in Go, 2,000 payments a second"

// Every route that asks the model, with its status and the value that tells a result from none, for a model that is
// good, says {}, says prose, or fails. "200" alone says little.
func TestRoutesThatAskTheModelAnswerAsObserved(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	made := f.journey(t, anna)
	f.SetModel(Fails500)
	unread := f.send(t, anna, "POST /resumes/upload", pdf).id(t, "resume_id")
	pair := map[string]any{"resume_id": made.master, "job_id": made.job}
	job := map[string]any{"resume_id": made.master, "job_description": "Backend engineer"}
	answers := map[string]any{"resume_id": made.master, "answers": []any{map[string]any{"question_id": "q_0"}}}
	items := map[string]any{"resume_id": made.master, "items": []any{map[string]any{"item_id": "exp_0"}}, "instruction": "I"}
	turn := map[string]any{"action": "answer", "answer": map[string]any{"text": "I'm Ada."},
		"state": map[string]any{"asked_count": 1}}
	tailored := "POST /resumes/" + made.tailored + "/generate-"
	for _, test := range []struct {
		route                    string
		body                     any
		path                     string
		good, says, prose, fails string
	}{
		{"POST /resumes/upload", pdf, "processing_status", "200 ready", "200 ready", "200 failed", "200 failed"},
		{"POST /resumes/" + unread + "/retry-processing", nil, "processing_status", "", "", "200 failed", "200 failed"},
		{"POST /resumes/improve/preview", pair, "data.diff_summary.total_changes", "200 3", "200 0", "500 null", "500 null"},
		{"POST /resumes/improve", pair, "data.diff_summary.total_changes", "200 3", "200 0", "500 null", "500 null"},
		{"POST /enrichment/analyze/" + made.master, nil, "items_to_enrich.0.item_id", "200 exp_0", "200 null", "422 null",
			"500 null"},
		{"POST /enrichment/analyze/" + made.master, nil, "analysis_summary",
			"200 A solid resume. One entry needs figures.", "200 null", "422 null", "500 null"},
		{"POST /enrichment/enhance", answers, "enhancements.0.enhanced_description.0", bullet, "200 null", "200 null",
			"200 null"},
		{"POST /enrichment/enhance", answers, "enhancements.0.item_id", "200 exp_0", "200 exp_0", "200 null", "200 null"},
		{"POST /enrichment/regenerate", items, "regenerated_items.0.new_content.0", bullet, "200 null", "500 null",
			"500 null"},
		{tailored + "cover-letter", nil, "message", "200 Cover letter generated successfully",
			"200 Cover letter generated successfully", "200 Cover letter generated successfully", "500 null"},
		{tailored + "outreach", nil, "content", "", "200 {}",
			"200 As a language model I would rather talk about the weather.", "500 null"},
		{tailored + "interview-prep", nil, "interview_prep.questions.0.hint",
			"200 Idempotency keys, unique indexes, one transaction.", "200 null", "500 null", "500 null"},
		{"POST /applications", job, "company", "200 Example Pay", "200 null", "200 null", "200 null"},
		{"POST /resume-wizard/turn", turn, "state.asked_count", "200 2", "200 2", "422 null", "500 null"},
		{"POST /resume-wizard/turn", turn, "state.resume_data.personalInfo.name", "200 Ada Example", "200 Ada", "422 null",
			"500 null"},
		{"GET /status", nil, "llm_healthy", "200 true", "200 true", "200 true", "200 false"},
	} {
		for model, want := range map[Model]string{
			Good: test.good, EmptyObject: test.says, NotJSON: test.prose, Fails500: test.fails, Fails401: test.fails,
			Fails429: test.fails, Blank: test.fails, ConnectionCut: test.fails,
		} {
			if want == "" {
				continue
			}
			f.SetModel(model)
			g := f.send(t, anna, test.route, test.body)
			value := strings.ReplaceAll(fmt.Sprint(g.at(test.path)), "<nil>", "null")
			if got := fmt.Sprintf("%d %s", g.StatusCode, value); got != want {
				t.Errorf("%s, model %s: got %q as %s, want %q: %s", test.route, model, got, test.path, want, g.text)
			}
		}
	}
}

// An application that says company and role, and the wizard's other turns, do not ask the model; a list asks once for
// each of its elements.
func TestRequestsThatAskTheModelOftenOrNever(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	made := f.journey(t, anna)
	item := map[string]any{"item_id": "exp_0"}
	for _, test := range []struct {
		route string
		body  map[string]any
		asked int
	}{
		{"POST /applications", map[string]any{"job_description": "J", "company": "C", "role": "R"}, 0},
		{"POST /applications", map[string]any{"job_description": "J", "company": "C", "role": ""}, 1},
		{"POST /resume-wizard/turn", map[string]any{"state": map[string]any{}, "action": "start"}, 0},
		{"POST /resume-wizard/turn", map[string]any{"state": map[string]any{}, "action": "skip"}, 1},
		{"POST /enrichment/regenerate", map[string]any{"items": []any{item, item, item}, "instruction": "I"}, 3},
	} {
		test.body["resume_id"] = made.master
		g := f.send(t, anna, test.route, test.body)
		seen := f.Seen()
		if got := seen[len(seen)-1].Asked; got != test.asked || g.StatusCode != 200 {
			t.Errorf("%s %v: got %d and %d model calls, want 200 and %d", test.route, test.body, g.StatusCode, got, test.asked)
		}
	}
}
