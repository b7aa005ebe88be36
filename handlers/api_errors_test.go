package handlers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each refusal says what was wanted, and where the request went wrong.
func TestRefusalsSayWhatIsWanted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	f.user("ada@example.com", 5)
	_, key := f.serviceKey("spend")
	every := []any{"resume_analysis", "job_match", "resume_improvement"}
	shop := "http://localhost/en/purchase"
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       string
		detail     object
		message    string // a part of it
	}{
		"an unknown address": {"balance?email=eve@example.com", "", 404, "USER_NOT_FOUND",
			object{"problem": "user_unknown"}, "createUser"},
		"an unknown id": {"spend", `{"userId":999,"feature":"job_match"}`, 404, "USER_NOT_FOUND",
			object{"problem": "user_unknown"}, "No account"},
		"an unknown path": {"spends", "", 404, "NOT_FOUND", nil, "address does not exist"},
		"an unknown feature": {"spend", `{"email":"ada@example.com","feature":"resume_analyse"}`, 422, "FEATURE_UNKNOWN",
			object{"field": "feature", "problem": "feature_unknown", "features": every}, "feature"},
		"an id that is text": {"spend", `{"userId":"2","feature":"job_match"}`, 422, "INVALID_REQUEST",
			object{"field": "userId", "problem": "value_unfit", "expected": "integer, ≥ 1"}, "value of userId"},
		"no JSON": {"spend", "{\"userId\":2,\n \"feature\" \"job_match\"}", 400, "INVALID_REQUEST",
			object{"problem": "body_not_understood", "line": 2.0, "column": 12.0}, "line 2, column 12"},
		"an end too early": {"spend", `{"userId":2`, 400, "INVALID_REQUEST",
			object{"problem": "body_not_understood", "line": 1.0, "column": 11.0}, "line 1"},
		"no UTF-8": {"spend", "{\"feature\":\"ä\xff\"}", 400, "INVALID_REQUEST",
			object{"problem": "body_not_understood", "line": 1.0, "column": 14.0}, "column 14"},
		"a list": {"spend", "\n [1]", 400, "INVALID_REQUEST",
			object{"problem": "body_not_understood", "line": 2.0, "column": 2.0}, "line 2"},
		"a field twice": {"spend", `{"userId":2,"userId":3}`, 400, "INVALID_REQUEST",
			object{"field": "userId", "problem": "field_twice"}, "userId twice"},
		"a field too few": {"spend", `{"userId":2}`, 422, "INVALID_REQUEST",
			object{"field": "feature", "problem": "field_missing"}, "feature is missing"},
		"a field too many": {"spend", `{"amount":2}`, 422, "INVALID_REQUEST",
			object{"field": "amount", "problem": "field_unknown"}, "no field amount"},
		"a gap of 5 credits": {"spend", `{"email":"ada@example.com","feature":"resume_analysis"}`, 402,
			"INSUFFICIENT_CREDITS", object{"required": 10.0, "available": 5.0, "missing": 5.0,
				"purchaseUrl": shop + "?package=100"}, "missing: 5"},
	} {
		method := "POST"
		if c.body == "" {
			method = "GET"
		}
		r := f.call(method, "/api/credits/"+c.path, c.body, key, "Idempotency-Key: "+name)
		e := r.refusal(t).Error
		if diff := cmp.Diff(c.detail, e.Detail); r.status != c.status || string(e.Code) != c.code || diff != "" ||
			!strings.Contains(e.Message, c.message) {
			t.Errorf("%s: status %d %s, want %d %s with %q\n%s", name, r.status, r.body, c.status, c.code, c.message, diff)
		}
	}
}

func TestPriceListsArePublic(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	for path, want := range map[string]string{
		"/api/features": `{"features":[{"feature":"resume_analysis","name":"Lebenslauf-Analyse","credits":10},`,
		"/api/packages": `"credits":1200,"bonusCredits":200,"priceInCents":3500,"currency":"eur"}]}`,
	} {
		r := f.call("GET", path, "", "Accept-Language: de")
		if r.status != 200 || !strings.Contains(r.body, want) || r.header.Get("Cache-Control") != "private, max-age=60" {
			t.Errorf("%s: status %d, %q, %s, want 200 for a minute with %s", path, r.status, r.header.Get("Cache-Control"),
				r.body, want)
		}
		if r := f.call("GET", path+"?x=1", ""); r.status != 422 {
			t.Errorf("%s?x=1: status %d, want 422", path, r.status)
		}
		if r := f.call("GET", path, "", "Authorization: Bearer rmc_wrong"); r.status != 401 {
			t.Errorf("%s with a wrong key: status %d, want 401", path, r.status)
		}
	}
	if err := f.db.Exec(`UPDATE feature_prices SET active = false WHERE feature = 'job_match'`).Error; err != nil {
		t.Fatal(err)
	}
	if r := f.call("GET", "/api/features", ""); strings.Contains(r.body, "job_match") {
		t.Errorf("a feature that is switched off is listed: %s", r.body)
	}
}
