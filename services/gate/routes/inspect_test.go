package routes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

var (
	wizardPass    = &routes.Pass{Name: "wizard", Uses: 20, Lifetime: 2 * time.Hour}
	tailoringPass = &routes.Pass{Name: "tailoring", Subject: "job-1", Uses: 3, Lifetime: 24 * time.Hour}
	wizardTurn    = routes.Plan{Feature: "resume_analysis", Pass: wizardPass, Opens: wizardPass}
	preview       = routes.Plan{Feature: "resume_improvement", Opens: tailoringPass}
	confirmation  = routes.Plan{Pass: tailoringPass}
	improvement   = routes.Plan{Feature: "resume_improvement"}
	limited       = routes.Plan{Daily: 20}
)

func TestInspectReadsThePrice(t *testing.T) {
	t.Parallel()
	table := parsePreset(t)
	for _, c := range []struct {
		path, body string
		want       routes.Plan
	}{
		{"resumes/upload", "%PDF-1.7 not JSON", routes.Plan{Feature: "resume_analysis"}},
		{"resumes/0190/generate-cover-letter", "", routes.Plan{Feature: "job_match"}},
		{"jobs/upload", "not JSON", routes.Plan{}},
		{"resume-wizard/turn", `{"action":"answer","state":{}}`, wizardTurn},
		{"resume-wizard/turn", `{"action":"skip","state":{"asked_count":0}}`, wizardTurn},
		{"resume-wizard/turn", `{"\u0061ction":"sk\u0069p"}`, wizardTurn},
		{"resume-wizard/turn", `{"action":"start"}`, routes.Plan{}},
		{"resume-wizard/turn", `{"action":"back","Action":"answer"}`, routes.Plan{}},
		{"resume-wizard/turn", `{"state":{"action":"answer"},"action":"review"}`, routes.Plan{}},
		{"resumes/improve/preview", `{"resume_id":"r","job_id":"job-1"}`, preview},
		{"resumes/improve/confirm", `{"job_id":"job-1","improved_data":{"job_id":"job-2"}}`, confirmation},
		{"enrichment/enhance", `{"answers":[` + items(40) + `]}`, improvement},
		{"enrichment/enhance", `{"resume_id":"r"}`, improvement},
		{"enrichment/regenerate", `{"items":[` + items(20) + `]}`, improvement},
		{"applications", `{"company":"Example","role":"Clerk"}`, routes.Plan{}},
		{"applications", `{"company":"Example"}`, limited},
		{"applications", `{"Company":"Example","Role":"Clerk"}`, limited},
		{"applications", `{"company":"Example","role":null}`, limited},
		{"applications", `{"company":"","role":"Clerk"}`, limited},
		{"applications", `{"company":" \u200b\n","role":"Clerk"}`, limited},
		{"applications", `{"company":["Example"],"role":"Clerk"}`, limited},
		{"applications", `{"job":{"company":"Example","role":"Clerk"}}`, limited},
	} {
		rule := match(t, table, "POST", routes.Path("/api/v1/"+c.path))
		got, err := rule.Inspect(jsonType, []byte(c.body))
		if err != nil {
			t.Errorf("%s %.80s: %v", c.path, c.body, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %.80s (-want +got):\n%s", c.path, c.body, diff)
		}
	}
}

func items(n int) string { return strings.TrimSuffix(strings.Repeat(`{"id":1},`, n), ",") }

func TestInspectRefuses(t *testing.T) {
	t.Parallel()
	table := parsePreset(t)
	for _, c := range []struct {
		path, body string
		code       fault.Code
		problem    fault.Problem
	}{
		{"resume-wizard/turn", `{"action":"Answer"}`, fault.Invalid, fault.ValueUnfit},
		{"resume-wizard/turn", `{"action":" answer"}`, fault.Invalid, fault.ValueUnfit},
		{"resume-wizard/turn", `{"action":["answer"]}`, fault.Invalid, fault.ValueUnfit},
		{"resume-wizard/turn", `{"Action":"answer"}`, fault.Invalid, fault.ValueUnfit},
		{"resume-wizard/turn", `{}`, fault.Invalid, fault.ValueUnfit},
		{"resume-wizard/turn", `{"action":"start","action":"answer"}`, fault.Malformed, fault.FieldTwice},
		{"resume-wizard/turn", strings.Repeat(" ", 4<<20) + `{"action":"back"}`, fault.PayloadTooLarge, ""},
		{"resumes/improve/preview", `{"resume_id":"r"}`, fault.Invalid, fault.FieldMissing},
		{"resumes/improve/preview", `{"job_id":""}`, fault.Invalid, fault.FieldMissing},
		{"resumes/improve/preview", `{"job_id":7}`, fault.Invalid, fault.FieldMissing},
		{"resumes/improve/confirm", `{"Job_ID":"job-1"}`, fault.Invalid, fault.FieldMissing},
		{"resumes/improve/confirm", `{"job_id":"` + strings.Repeat("j", 201) + `"}`, fault.Invalid, fault.FieldMissing},
		{"enrichment/enhance", `{"answers":[` + items(41) + `]}`, fault.Invalid, fault.TooManyItems},
		{"enrichment/enhance", `{"answers":{"0":{}}}`, fault.Invalid, fault.TooManyItems},
		{"enrichment/regenerate", `{"items":[` + items(300) + `]}`, fault.Invalid, fault.TooManyItems},
		{"enrichment/regenerate", `{"items":[],"items":[` + items(300) + `]}`, fault.Malformed, fault.FieldTwice},
		{"applications", `company=Example&role=Clerk`, fault.Malformed, fault.BodyUnreadable},
		{"applications", "", fault.Malformed, fault.BodyUnreadable},
	} {
		rule := match(t, table, "POST", routes.Path("/api/v1/"+c.path))
		if plan, err := rule.Inspect(jsonType, []byte(c.body)); err == nil || plan != (routes.Plan{}) {
			t.Errorf("%s %.80s: %+v, want refused", c.path, c.body, plan)
		} else {
			refused(t, err, c.code, c.problem)
		}
	}
}

func TestOnlyRulesThatNeedItReadTheBody(t *testing.T) {
	t.Parallel()
	need := map[string]bool{
		"POST /api/v1/resume-wizard/turn": true, "POST /api/v1/applications": true, "POST /api/v1/enrichment/enhance": true,
		"POST /api/v1/enrichment/regenerate": true, "POST /api/v1/resumes/improve/preview": true,
		"POST /api/v1/resumes/improve/confirm": true,
	}
	for _, rule := range parsePreset(t).Rules() {
		if rule.NeedsBody() != need[rule.Name()] {
			t.Errorf("%s: needs body = %v, want %v", rule.Name(), rule.NeedsBody(), need[rule.Name()])
		}
	}
}
