package handlers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func TestHoldsOverHTTP(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := f.user("ada@example.com", 100)
	_, mine := f.serviceKey("spend")
	_, theirs := f.serviceKey("spend")
	start := func(key string) hold {
		t.Helper()
		r := f.call("POST", "/api/credits/holds", fmt.Sprintf(`{"userId":%d,"feature":"resume_improvement"}`, ada.ID), mine,
			"Idempotency-Key: "+key)
		var h hold
		if err := json.Unmarshal([]byte(r.body), &h); err != nil || r.status != 201 || h.Status != models.HoldOpen ||
			h.TransactionID != nil {
			t.Fatalf("hold: status %d %s (%v), want 201 and open", r.status, r.body, err)
		}
		return h
	}
	at := func(h hold, action string) string { return "/api/credits/holds/" + h.HoldID.String() + action }

	t.Run("captures a part once", func(t *testing.T) {
		h := start("part")
		first := f.call("POST", at(h, "/capture"), `{"credits":7}`, mine)
		if first.status != 200 || !strings.Contains(first.body, `"capturedCredits":7,"status":"captured"`) {
			t.Fatalf("capture: status %d %s, want 200 with 7 credits", first.status, first.body)
		}
		if again := f.call("POST", at(h, "/capture"), `{"credits":7}`, mine); again.body != first.body ||
			again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("the repeat: status %d %s, want %s", again.status, again.body, first.body)
		}
		for action, body := range map[string]string{"/capture": `{"credits":8}`, "/release": ""} {
			if r := f.call("POST", at(h, action), body, mine); r.status != 409 || r.refusal(t).Error.Code != "HOLD_NOT_OPEN" ||
				r.refusal(t).Error.Detail["status"] != "captured" {
				t.Errorf("%s after the capture: status %d %s, want 409", action, r.status, r.body)
			}
		}
		if again := start("part"); again.HoldID != h.HoldID {
			t.Errorf("the repeated hold = %v, want the original %v", again, h)
		}
	})
	t.Run("releases once", func(t *testing.T) {
		h := start("release")
		for i, want := range []string{"", "true"} {
			if r := f.call("POST", at(h, "/release"), "", mine); r.status != 200 || r.header.Get("Idempotent-Replayed") != want {
				t.Errorf("release %d: status %d %s, Idempotent-Replayed %q, want 200 and %q", i+1, r.status, r.body,
					r.header.Get("Idempotent-Replayed"), want)
			}
		}
	})
	t.Run("hides a hold from other callers", func(t *testing.T) {
		h := start("hidden")
		session := "Cookie: " + f.signIn(ada.ID)
		for _, c := range [][2]string{{"GET", ""}, {"POST", "/capture"}, {"POST", "/release"}} {
			if r := f.call(c[0], at(h, c[1]), "", theirs); r.status != 404 {
				t.Errorf("%s %s with another key: status %d, want 404", c[0], c[1], r.status)
			}
			if r := f.call(c[0], at(h, c[1]), "", session); r.status != 403 {
				t.Errorf("%s %s by the user: status %d, want 403", c[0], c[1], r.status)
			}
		}
		for _, id := range []string{"1", "x", "%00", "null", strings.ToUpper(h.HoldID.String()) + "0",
			strings.Repeat("9", 300)} {
			if r := f.call("POST", "/api/credits/holds/"+id+"/capture", "", mine); r.status != 404 {
				t.Errorf("hold %q: %d %s, want 404", id, r.status, r.body)
			}
		}
	})
	t.Run("reads numbers strictly", func(t *testing.T) {
		h, before := start("strict"), f.entryCount()
		for _, n := range append(oddNumbers, "16", "2147483648", "9007199254740992", "9223372036854775807") {
			if n != "null" {
				f.checkInvalid("credits "+n, f.call("POST", at(h, "/capture"), `{"credits":`+n+`}`, mine), "credits")
				f.checkInvalid("ttlSeconds "+n, f.call("POST", "/api/credits/holds",
					fmt.Sprintf(`{"userId":%d,"feature":"job_match","ttlSeconds":%s}`, ada.ID,
						strings.Replace(n, "16", "86401", 1)), mine, "Idempotency-Key: "+"ttl"), "ttlSeconds")
				if n == "16" || len(n) > 9 && n[0] != '1' && n != "9223372036854775808" { // these are ids of unknown users
					continue
				}
				f.checkInvalid("userId "+n, f.call("POST", "/api/credits/spend", `{"feature":"job_match","userId":`+n+`}`, mine,
					"Idempotency-Key: user"), "userId")
			}
		}
		for _, n := range brokenNumbers {
			for _, call := range [][2]string{{at(h, "/capture"), `{"credits":%s}`},
				{"/api/credits/holds", `{"userId":%s,"feature":"job_match"}`},
				{"/api/credits/spend", `{"userId":%s,"feature":"job_match"}`}} {
				f.checkInvalid(call[0]+" "+n, f.call("POST", call[0], fmt.Sprintf(call[1], n), mine, "Idempotency-Key: broken"), "")
			}
		}
		for _, body := range []string{`{"credits":1,"credits":15}`, `{"amount":1}`, `[]`, `15`, `{"Credits":1}`} {
			f.checkInvalid(body, f.call("POST", at(h, "/capture"), body, mine), "")
		}
		f.checkInvalid("credits in the query", f.call("POST", at(h, "/capture?credits=1"), "", mine), "")
		f.checkInvalid("a form", f.call("POST", at(h, "/capture"), "credits=1", mine,
			"Content-Type: application/x-www-form-urlencoded"), "")
		var holds int64
		if err := f.db.Raw(`SELECT count(*) FROM holds WHERE feature = 'job_match'`).Scan(&holds).Error; err != nil ||
			holds != 0 || f.entryCount() != before {
			t.Errorf("%d holds and %d entries were stored (%v), want 0", holds, f.entryCount()-before, err)
		}
	})
	dbtest.CheckLedger(t, f.db)
}
