package webhook

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// kinds are the events that may move credits. All others are stored and ignored.
var kinds = []string{"checkout.session.completed", "checkout.session.async_payment_succeeded", "charge.refunded", "charge.refund.updated", "refund.created",
	"refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
	"charge.dispute.funds_reinstated"}

// seeds are events of every kind that we know, and what a broken sender makes of them.
func seeds(s *shop) []string {
	paid := s.completed("evt_1", "cs_1", "paid")
	all := []string{paid, s.completed("evt_2", "cs_1", "unpaid"), s.ended("evt_3", "async_payment_failed"), s.ended("evt_4", "expired"), free(s),
		refunded("evt_5", 1000), refund("evt_6", "re_1", 1000), dispute("evt_7", "created", "needs_response", 3500), dispute("evt_8", "closed", "won", 3500),
		event("evt_9", "customer.deleted", `{"id":"cus_1"}`), link("evt_10", "cs_a", `"cus_2"`, `"new@example.com"`, `{"credits":"1200"}`),
		event("evt_11", "payment_intent.succeeded", `{"id":"pi_1"}`), event("evt_12", "product.updated", `{"id":"prod_1","object":"product"}`)}
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, broken := range []func(string) string{
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
		all = append(all, broken(paid))
	}
	return append(all, spoilt(refunded("evt_13", 1000))...)
}

// spoilt are refunds as a database would refuse them.
func spoilt(e string) []string {
	return []string{strings.Replace(e, ":1000", ":-1", 1), strings.Replace(e, `"currency":"eur"`, `"currency":"\u0000"`, 1), strings.Replace(e, "ch_1", `\u0000`, 1),
		strings.Replace(e, `"pi_1"`, `"`+strings.Repeat("p", 4000)+`"`, 1), strings.Replace(e, `"pi_1"`, "null", 1)}
}

// FuzzWebhook sends anything, under any signature and under a good one. Nothing panics; what is not signed leaves no
// trace; what is signed is accepted or refused as no event, but never fails, for Stripe would send it for three days;
// and credits move only for the events that may move them.
func FuzzWebhook(f *testing.F) {
	s := newShop(f)
	s.clock = time.Unix(1_800_000_000, 0).UTC() // the same in every process that takes part
	for _, seed := range seeds(s) {
		good := sign(seed, testSecret, s.clock)
		for _, header := range []string{good, "", "t=", "t=0,v1=00", strings.Replace(good, ",", ", ", 1), good + ",t=1", strings.Replace(good, "v1", "v0", 1), "t=99999999999999999999,v1=" + good} {
			f.Add([]byte(seed), header)
		}
	}
	count := func(t *testing.T) (events, lines int64) {
		if err := s.DB.Raw(`SELECT (SELECT count(*) FROM stripe_events), (SELECT count(*) FROM credit_transactions)`).Row().Scan(&events, &lines); err != nil {
			t.Fatal(err)
		}
		return events, lines
	}
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		if err := s.DB.Exec(`DELETE FROM stripe_events`).Error; err != nil { // of the last round, so that no id is a duplicate
			t.Fatal(err)
		}
		_, before := count(t)
		good := sign(string(body), testSecret, s.clock)
		err := s.Receive(context.Background(), body, header)
		events, lines := count(t)
		switch {
		case err == nil && !strings.Contains(header, good[strings.Index(good, "v1="):]):
			t.Fatalf("accepted under %q", header)
		case err != nil && (events != 0 || lines != before):
			t.Fatalf("%d events stored and %d lines added for what was refused", events, lines-before)
		}

		err = s.Receive(context.Background(), body, good)
		events, lines = count(t)
		switch {
		case err != nil && unstorable(body): // no event of Stripe's is so
		case err != nil && !fault.Is(err, fault.SignatureInvalid):
			t.Fatalf("a signed body fails: %v", err)
		case err != nil && (events != 0 || lines != before):
			t.Fatalf("%d events stored and %d lines added for what was refused", events, lines-before)
		case err == nil && events != 1:
			t.Fatalf("%d events stored for what was accepted", events)
		}
		if lines != before && !mayMove(body) {
			t.Fatal("credits moved for an event that moves none")
		}
		wantSoundLedger(t, s)
	})
}

// unstorable reports whether the database cannot keep an id of the event: it takes no NUL, and no index entry of a page.
func unstorable(body []byte) bool {
	return strings.Contains(string(body), `\u0000`) || len(body) > 2600
}

// mayMove reports whether the body is an event of a kind that may move credits, about an object with an id.
func mayMove(body []byte) bool {
	var e struct {
		Type string
		Data struct{ Object struct{ ID string } }
	}
	if json.Unmarshal(body, &e) != nil || e.Data.Object.ID == "" {
		return false
	}
	for _, kind := range kinds {
		if kind == e.Type {
			return true
		}
	}
	return false
}

// wantSoundLedger wants every balance to be the sum of its lines, and no purchase to give more than it sold.
func wantSoundLedger(t *testing.T, s *shop) {
	t.Helper()
	var wrong int64
	err := s.DB.Raw(`SELECT count(*) FROM users u WHERE credits_balance <> (SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions c WHERE c.user_id = u.id)
		OR credits_balance < 0 OR credits_balance > (SELECT coalesce(sum(credits), 0) FROM purchases p WHERE p.user_id = u.id AND status = ?)`, models.PurchasePaid).Scan(&wrong).Error
	if err != nil || wrong != 0 {
		t.Fatalf("%d users have a balance that is not what they bought and what their ledger says (%v)", wrong, err)
	}
}
