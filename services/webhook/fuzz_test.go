package webhook

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// creditTypes are the event types that may move credits.
var creditTypes = []string{
	"checkout.session.completed", "checkout.session.async_payment_succeeded", "charge.refunded", "charge.refund.updated",
	"refund.created", "refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.updated",
	"charge.dispute.closed", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
}

// seeds are events of every type that we book, and malformed variants of them.
func seeds(s *fixture) []string {
	paid := s.completed("evt_1", "cs_1", "paid")
	all := []string{
		paid, s.completed("evt_2", "cs_1", "unpaid"), s.ended("evt_3", "async_payment_failed"), s.ended("evt_4", "expired"),
		freePurchase(s), refunded("evt_5", 1000), refund("evt_6", "re_1", 1000),
		dispute("evt_7", "created", "needs_response", 3500), dispute("evt_8", "closed", "won", 3500),
		event("evt_9", "customer.deleted", `{"id":"cus_1"}`),
		link("evt_10", "cs_a", `"cus_2"`, `"new@example.com"`, `{"credits":"1200"}`),
		event("evt_11", "payment_intent.succeeded", `{"id":"pi_1"}`),
		event("evt_12", "product.updated", `{"id":"prod_1","object":"product"}`),
	}
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, malform := range []func(string) string{
		func(e string) string { return e[:len(e)/2] },
		func(e string) string { return strings.Replace(e, `"evt_`, `"\u0000evt_`, 1) },
		func(e string) string { return strings.Replace(e, `"type":"`, `"type":"\u0000`, 1) },
		func(e string) string { return strings.Replace(e, `{"id":"cs_1"`, `{"id":"cs\u0000_1"`, 1) },
		func(e string) string { return strings.Replace(e, `"id":"cs_1"`, "\"id\":\"\xff\xfe\"", 1) },
		func(e string) string { return strings.Replace(e, `"amount_total":3500`, `"amount_total":1e400`, 1) },
		func(e string) string { return strings.ReplaceAll(e, `3500`, `9223372036854775807`) },
		func(e string) string { return strings.ReplaceAll(e, `3500`, `-3500`) },
		func(e string) string { return strings.ReplaceAll(e, `3500`, `"3500"`) },
		func(e string) string {
			return strings.Replace(e, `"created":1800000000`, `"created":9223372036854775807`, 1)
		},
		func(e string) string {
			return strings.Replace(e, `"created":1800000000`, `"created":"2024-06-20T00:00:00Z"`, 1)
		},
		func(e string) string {
			return strings.Replace(e, `"object":{`, `"object":{"id":"cs_2","deep":`+deep+`,`, 1)
		},
		func(e string) string {
			return strings.Replace(e, `"payment_intent":"pi_1"`, `"payment_intent":{"id":"pi_1"}`, 1)
		},
		func(e string) string {
			return strings.Replace(e, `"payment_intent":"pi_1"`, `"payment_intent":["pi_1"]`, 1)
		},
		func(e string) string { return strings.Replace(e, `"metadata":{`, `"metadata":{"credits":1200,`, 1) },
		func(e string) string {
			return strings.Replace(e, `"data":{"object"`, `"data":{"object":null},"data":{"object"`, 1)
		},
	} {
		all = append(all, malform(paid))
	}
	return append(all, malformedRefunds(refunded("evt_13", 1000))...)
}

// malformedRefunds returns variants of an event with values that the database refuses.
func malformedRefunds(e string) []string {
	return []string{
		strings.Replace(e, ":1000", ":-1", 1), strings.Replace(e, `"currency":"eur"`, `"currency":"\u0000"`, 1),
		strings.Replace(e, "ch_1", `\u0000`, 1), strings.Replace(e, `"pi_1"`, `"`+strings.Repeat("p", 4000)+`"`, 1),
		strings.Replace(e, `"pi_1"`, "null", 1),
	}
}

// FuzzWebhook delivers any body with any signature and with a valid one. Nothing panics. An invalid signature stores
// nothing. A signed body is accepted or refused as no event, but never fails, because Stripe would resend it for
// three days. Credits move only for creditTypes.
func FuzzWebhook(f *testing.F) {
	s := newFixture(f)
	s.clock = time.Unix(1_800_000_000, 0).UTC() // the same in every fuzzing process
	for _, seed := range seeds(s) {
		good := sign(seed, testSecret, s.clock)
		for _, header := range []string{
			good, "", "t=", "t=0,v1=00", strings.Replace(good, ",", ", ", 1), good + ",t=1",
			strings.Replace(good, "v1", "v0", 1),
			"t=99999999999999999999,v1=" + good,
		} {
			f.Add([]byte(seed), header)
		}
	}
	count := func(t *testing.T) (events, entries int64) {
		err := s.DB.Raw(`SELECT (SELECT count(*) FROM stripe_events), (SELECT count(*) FROM credit_transactions)`).
			Row().Scan(&events, &entries)
		if err != nil {
			t.Fatal(err)
		}
		return events, entries
	}
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		if err := s.DB.Exec(`DELETE FROM stripe_events`).Error; err != nil { // avoid duplicate ids
			t.Fatal(err)
		}
		_, before := count(t)
		good := sign(string(body), testSecret, s.clock)
		err := s.Receive(context.Background(), body, header)
		events, entries := count(t)
		switch {
		case err == nil && !strings.Contains(header, good[strings.Index(good, "v1="):]):
			t.Fatalf("accepted with signature %q, want it refused", header)
		case err != nil && (events != 0 || entries != before):
			t.Fatalf("refused body stored %d events and %d entries, want 0", events, entries-before)
		}

		err = s.Receive(context.Background(), body, good)
		events, entries = count(t)
		switch {
		case err != nil && unstorable(body):
		case err != nil && !fault.Is(err, fault.SignatureInvalid):
			t.Fatalf("signed body: error = %v, want none or signature invalid", err)
		case err != nil && (events != 0 || entries != before):
			t.Fatalf("refused body stored %d events and %d entries, want 0", events, entries-before)
		case err == nil && events != 1:
			t.Fatalf("accepted body stored %d events, want 1", events)
		}
		if entries != before && !mayMove(body) {
			t.Fatal("an entry was added for an event that moves no credits")
		}
		wantConsistentLedger(t, s)
	})
}

// unstorable reports whether the database may refuse an id of the event: it accepts no NUL and no long index entry.
func unstorable(body []byte) bool {
	return strings.Contains(string(body), `\u0000`) || len(body) > 2600
}

// mayMove reports whether the body is an event that may move credits, about an object with an id.
func mayMove(body []byte) bool {
	var e struct {
		Type string
		Data struct{ Object struct{ ID string } }
	}
	if json.Unmarshal(body, &e) != nil || e.Data.Object.ID == "" {
		return false
	}
	return slices.Contains(creditTypes, e.Type)
}

// wantConsistentLedger wants every balance to be the sum of its entries, and no more than was bought.
func wantConsistentLedger(t *testing.T, s *fixture) {
	t.Helper()
	var wrong int64
	err := s.DB.Raw(`SELECT count(*) FROM users u WHERE credits_balance < 0
		OR credits_balance <> (SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions c WHERE c.user_id = u.id)
		OR credits_balance > (SELECT coalesce(sum(credits), 0) FROM purchases p WHERE p.user_id = u.id AND status = ?)`,
		models.PurchasePaid).Scan(&wrong).Error
	if err != nil || wrong != 0 {
		t.Fatalf("%d users have a wrong balance (%v), want 0", wrong, err)
	}
}
