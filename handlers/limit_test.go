package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// wantLimited checks the answer to a request that came once too often.
func wantLimited(t *testing.T, what string, r reply) {
	t.Helper()
	wait, err := strconv.Atoi(r.header.Get("Retry-After"))
	if r.status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 3600 {
		t.Errorf("%s: %d, Retry-After %q; want 429 with seconds", what, r.status, r.header.Get("Retry-After"))
	}
}

// untilLimited asks until it is refused, and says how often it was not. A minute may end meanwhile, but not for ever.
func untilLimited(ask func(n int) reply) (r reply, n int) {
	for ; n < 200; n++ {
		if r = ask(n); r.status == http.StatusTooManyRequests {
			break
		}
	}
	return r, n
}

// What has a limit is refused beyond it, with how long to wait, in the visitor's language; another user is not.
func TestLimitedRequests(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.sell()
	ada := d.user("ada@example.org", 1000)
	her, other := d.member(ada.ID), d.member(d.user("eve@example.org", 1000).ID)
	p := d.order(ada.ID, "paid")
	d.play(p, "pay", "card")
	var price models.Price
	if err := d.db.Where("credits_per_unit = 500").Take(&price).Error; err != nil {
		t.Fatal(err)
	}
	call := func(m member, path, body string) reply { return d.call("POST", path, body, "Cookie: "+m.cookie) }
	for name, limited := range map[string]struct {
		count int
		ask   func(m member, n int) reply
	}{
		"checkout": {10, func(m member, n int) reply {
			return call(m, "/api/checkout", fmt.Sprintf(`{"priceId":%q,"quantity":1}`, price.StripePriceID))
		}},
		"spend": {60, func(m member, n int) reply { return call(m, "/api/credits/spend", `{"feature":"job_match"}`) }},
		"account": {30, func(m member, n int) reply {
			return m.post("/en/account", url.Values{"name": {"Ada"}, "locale": {"en"}})
		}},
		"receipt": {20, func(m member, n int) reply {
			r, _ := m.open("/en/purchase/" + p.ID.String() + "/receipt")
			return r
		}},
		"poll": {30, func(m member, n int) reply {
			r, _ := m.open(fmt.Sprintf("/en/billing?success=true&session_id=%s&poll=%d", p.CheckoutSessionID, 5*n+1))
			return r
		}},
		"export":   {10, func(m member, n int) reply { r, _ := m.open("/en/account/export.zip"); return r }},
		"sign-in":  {60, func(m member, n int) reply { return d.call("GET", "/auth/oidc", "") }},
		"callback": {60, func(m member, n int) reply { return d.call("GET", "/auth/oidc/callback?state=x&code=y", "") }},
	} {
		t.Run(name, func(t *testing.T) {
			over, n := untilLimited(func(n int) reply { return limited.ask(her, n) })
			if n < limited.count {
				t.Errorf("refused after %d, want %d", n, limited.count)
			}
			wantLimited(t, name, over)
			if strings.Contains(name, "sign") || name == "callback" {
				return // of an address
			}
			if r := limited.ask(other, 0); r.status == http.StatusTooManyRequests {
				t.Error("another user is refused")
			}
		})
	}
	t.Run("counts no form that comes back", func(t *testing.T) {
		fresh := d.member(d.user("typist@example.org", 0).ID)
		for range 15 {
			if r := fresh.post("/en/purchase", url.Values{"price_id": {price.StripePriceID}, "quantity": {"many"},
				"idempotency_key": {"k"}}); r.status != http.StatusUnprocessableEntity {
				t.Fatalf("a wrong form is answered with %d, want 422", r.status)
			}
		}
		if r := call(fresh, "/api/checkout", fmt.Sprintf(`{"priceId":%q,"quantity":1}`, price.StripePriceID)); r.status != http.StatusCreated {
			t.Errorf("the first order after them: %d, want 201", r.status)
		}
	})
	t.Run("says so to programs and to people", func(t *testing.T) {
		r, _ := untilLimited(func(int) reply {
			return d.call("POST", "/api/checkout", fmt.Sprintf(`{"priceId":%q,"quantity":1}`, price.StripePriceID), "Cookie: "+her.cookie, "Accept-Language: de")
		})
		e := r.refusal(t)
		if wait, _ := e.Error.Detail["retryAfter"].(float64); e.Error.Code != "RATE_LIMITED" || wait < 1 ||
			!strings.Contains(e.Error.Message, "Sekunde") {
			t.Errorf("%+v, want RATE_LIMITED in German with the seconds", e)
		}
		r, _ = untilLimited(func(int) reply {
			return her.post("/de/purchase", url.Values{"price_id": {price.StripePriceID}, "quantity": {"3"},
				"idempotency_key": {"k"}, "note": {"3 <b>"}})
		})
		wantLimited(t, "the form", r)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		form := doc.Find("#error-resend").Closest("form")
		if form.AttrOr("action", "") != "/de/purchase" || form.Find(`[name=quantity]`).AttrOr("value", "") != "3" || form.Find(`[name=note]`).AttrOr("value", "") != "3 <b>" || form.Find(`[name=_csrf]`).Length() != 1 {
			t.Errorf("what was typed is not kept: %s", r.body)
		}
	})
}

// countStatements counts what is sent to the database from now on.
func (d *fixture) countStatements() *atomic.Int64 {
	d.t.Helper()
	n := &atomic.Int64{}
	count := func(*gorm.DB) { n.Add(1) }
	on := d.db.Callback()
	if err := errors.Join(on.Query().Before("gorm:query").Register("count", count),
		on.Row().Before("gorm:row").Register("count", count),
		on.Raw().Before("gorm:raw").Register("count", count)); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// A service key that cannot be one costs no statement at all, not even in an address's count.
func TestMalformedKeyCostsNoStatement(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	statements := d.countStatements()
	for range 50 {
		if r := d.call("GET", "/api/credits/balance", "",
			"Authorization: Bearer rmc_typo"); r.status != http.StatusUnauthorized {
			t.Fatalf("status = %d, want 401", r.status)
		}
	}
	if n := statements.Load(); n != 0 {
		t.Errorf("50 malformed keys made %d statements", n)
	}
}
