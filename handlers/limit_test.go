package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// checkLimited checks the response to a request over its limit.
func checkLimited(t *testing.T, what string, r reply) {
	t.Helper()
	wait, err := strconv.Atoi(r.header.Get("Retry-After"))
	if r.status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 3600 {
		t.Errorf("%s: status %d, Retry-After %q; want 429 with 1 to 3600 seconds", what, r.status,
			r.header.Get("Retry-After"))
	}
}

// untilLimited repeats ask until the limit refuses it, and returns the refusal and the number of accepted requests. The
// count may exceed the limit when a minute ends in between.
func untilLimited(ask func(n int) reply) (r reply, n int) {
	for ; n < 200; n++ {
		if r = ask(n); r.status == http.StatusTooManyRequests {
			break
		}
	}
	return r, n
}

// Over its limit a request gets 429 with the time to wait, in the visitor's language. Other users are not affected.
func TestLimitedRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	ada := f.user("ada@example.org", 1000)
	her, other := f.member(ada.ID), f.member(f.user("eve@example.org", 1000).ID)
	p := f.order(ada.ID, "paid")
	f.play(p, "pay", "card")
	var price models.Price
	if err := f.db.Where("credits_per_unit = 500").Take(&price).Error; err != nil {
		t.Fatal(err)
	}
	order := fmt.Sprintf(`{"priceId":%q,"quantity":1}`, price.StripePriceID)
	call := func(m member, path, body string) reply { return f.call("POST", path, body, "Cookie: "+m.cookie) }
	for name, limited := range map[string]struct {
		count int
		ask   func(m member, n int) reply
	}{
		"checkout": {10, func(m member, n int) reply {
			return call(m, "/api/checkout", order)
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
		"sign-in":  {60, func(m member, n int) reply { return f.call("GET", "/auth/oidc", "") }},
		"callback": {60, func(m member, n int) reply { return f.call("GET", "/auth/oidc/callback?state=x&code=y", "") }},
	} {
		t.Run(name, func(t *testing.T) {
			over, n := untilLimited(func(n int) reply { return limited.ask(her, n) })
			if n < limited.count {
				t.Errorf("refused after %d requests, want at least %d", n, limited.count)
			}
			checkLimited(t, name, over)
			if strings.Contains(name, "sign") || name == "callback" {
				return // limited by address, not by user
			}
			if r := limited.ask(other, 0); r.status == http.StatusTooManyRequests {
				t.Error("another user is refused, too")
			}
		})
	}
	t.Run("does not count invalid forms", func(t *testing.T) {
		fresh := f.member(f.user("typist@example.org", 0).ID)
		for range 15 {
			if r := fresh.post("/en/purchase", url.Values{"price_id": {price.StripePriceID}, "quantity": {"many"},
				"idempotency_key": {"k"}}); r.status != http.StatusUnprocessableEntity {
				t.Fatalf("an invalid form: status %d, want 422", r.status)
			}
		}
		if r := call(fresh, "/api/checkout", order); r.status != http.StatusCreated {
			t.Errorf("the first order after them: status %d, want 201", r.status)
		}
	})
	t.Run("shows programs and people the wait", func(t *testing.T) {
		r, _ := untilLimited(func(int) reply {
			return f.call("POST", "/api/checkout", order, "Cookie: "+her.cookie, "Accept-Language: de")
		})
		e := r.refusal(t)
		if wait, _ := e.Error.Detail["retryAfter"].(float64); e.Error.Code != "RATE_LIMITED" || wait < 1 ||
			!strings.Contains(e.Error.Message, "Sekunde") {
			t.Errorf("%+v, want RATE_LIMITED with the seconds in German", e)
		}
		r, _ = untilLimited(func(int) reply {
			return her.post("/de/purchase", url.Values{"price_id": {price.StripePriceID}, "quantity": {"3"},
				"idempotency_key": {"k"}, "note": {"3 <b>"}})
		})
		checkLimited(t, "the form", r)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		form := doc.Find("#error-resend").Closest("form")
		if form.AttrOr("action", "") != "/de/purchase" || form.Find(`[name=quantity]`).AttrOr("value", "") != "3" ||
			form.Find(`[name=note]`).AttrOr("value", "") != "3 <b>" || form.Find(`[name=_csrf]`).Length() != 1 {
			t.Errorf("the page lacks the form with its input: %s", r.body)
		}
	})
}

// roundTrips returns how many round trips to PostgreSQL a call takes: the fewest of five, because a connection that was
// idle is checked first.
func (f *fixture) roundTrips(call func(n int)) int64 {
	f.t.Helper()
	var trips atomic.Int64
	postgres.OnActivity(f.db, func() { trips.Add(1) })
	fewest := int64(1000)
	for n := range 5 {
		before := trips.Load()
		call(n)
		fewest = min(fewest, trips.Load()-before)
	}
	return fewest
}

// A malformed service key costs no statement, not even the count of the sender's address.
func TestMalformedKeyCostsNoStatement(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	trips := f.roundTrips(func(int) {
		for range 10 {
			if r := f.call("GET", "/api/credits/balance", "",
				"Authorization: Bearer rmc_typo"); r.status != http.StatusUnauthorized {
				t.Fatalf("status %d, want 401", r.status)
			}
		}
	})
	if trips != 0 {
		t.Errorf("10 malformed keys cost %d round trips, want 0", trips)
	}
}
