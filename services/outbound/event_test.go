package outbound

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// events lists the types and credits of all deliveries in the order of their booking.
func (f *fixture) events() []string {
	f.t.Helper()
	var all []string
	f.must(f.db.Raw(`SELECT d.type || ' ' || c.delta_credits || ' ' || c.balance_after FROM webhook_deliveries d
		JOIN credit_transactions c ON c.id = d.entry_id ORDER BY d.id`).Scan(&all).Error)
	return all
}

// Each entry is one event, whoever books it, and a crossing of the threshold is another: spends and captures by the
// statements that book many at once, grants and corrections one by one.
func TestEachEntryIsAnEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	spends := &spend.Service{DB: f.db, Log: slog.New(slog.DiscardHandler)}
	f.book(70) // before there is an endpoint
	f.add("https://example.com")
	f.book(30, -20)
	_, err := spends.Spend(t.Context(), spend.Request{UserID: f.user, Feature: "resume_improvement"})
	f.must(err)
	hold, err := spends.Hold(t.Context(), spend.HoldRequest{
		Request: spend.Request{UserID: f.user, Feature: "resume_improvement"}})
	f.must(err)
	_, err = spends.Capture(t.Context(), uuid.Nil, hold.ID.String(), nil)
	f.must(err)
	f.book(-1, 1, -1)
	for _, reason := range []models.Reason{models.ReasonRefund, models.ReasonDispute} {
		f.must(postgres.Transaction(t.Context(), f.db, func(tx models.Tx) error {
			_, err := ledger.Post(tx, ledger.Entry{UserID: f.user, Delta: -100, Reason: reason})
			return err
		}))
	}
	want := []string{"credits.added 30 100", "credits.removed -20 80",
		"credits.spent -15 65", "credits.spent -15 50", "credits.removed -1 49", "credits.low -1 49", "credits.added 1 50",
		"credits.removed -1 49", "credits.low -1 49", "credits.refunded -100 -51", "credits.refunded -100 -151"}
	if got := f.events(); !slices.Equal(got, want) {
		t.Errorf("events\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

// An endpoint gets the types that it asked for, and its own threshold counts.
func TestEndpointsGetWhatTheyAskFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for threshold, types := range map[models.Credits][]string{20: {"credits.low"}, 90: {"credits.low", "credits.added"}} {
		_, _, err := f.Add(t.Context(), Request{URL: fmt.Sprintf("https://example.com/%d", threshold), Events: types,
			LowThreshold: threshold})
		f.must(err)
	}
	f.book(100, -20, -70)
	var got []string
	f.must(f.db.Raw(`SELECT e.low_threshold || ' ' || d.type || ' ' || c.balance_after FROM webhook_deliveries d
		JOIN webhook_endpoints e ON e.id = d.endpoint_id JOIN credit_transactions c ON c.id = d.entry_id
		ORDER BY d.entry_id, e.low_threshold`).Scan(&got).Error)
	if want := []string{"90 credits.added 100", "90 credits.low 80", "20 credits.low 10"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// A transaction that fails leaves neither entry nor event.
func TestEventsBelongToTheBooking(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add("https://example.com")
	err := postgres.Transaction(t.Context(), f.db, func(tx models.Tx) error {
		if _, err := ledger.Post(tx, ledger.Entry{UserID: f.user, Delta: 5, Reason: models.ReasonManual}); err != nil {
			return err
		}
		return fmt.Errorf("refused")
	})
	if n := f.count(`SELECT count(*) FROM webhook_deliveries`); n != 0 || err == nil {
		t.Errorf("%d deliveries after %v, want 0", n, err)
	}
}

// The payloads, with all their fields: no name, address, note or metadata of a user.
func TestPayloads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	endpoint, secret := f.add(r.URL)
	var entries [2]models.CreditTransaction
	for i, e := range []ledger.Entry{
		{Delta: 100, Reason: models.ReasonManual, Meta: models.Meta{Note: "for Lovelace"}},
		{Delta: -60, Reason: models.ReasonResumeAnalysis, Meta: models.Meta{
			PurchaseID: "0190a0a0-0000-7000-8000-000000000000", RequestMetadata: json.RawMessage(`{"name":"Lovelace"}`), IdempotencyKey: "lovelace"}},
	} {
		e.UserID = f.user
		f.must(postgres.Transaction(t.Context(), f.db, func(tx models.Tx) error {
			posted, err := ledger.Post(tx, e)
			entries[i] = posted.CreditTransaction
			return err
		}))
	}
	f.must(f.Test(t.Context(), endpoint.ID))
	f.pass()
	// A word that no random id contains.
	places := dbtest.Traces(t, f.db, "lovelace")
	if !slices.Contains(places, "credit_transactions.meta: lovelace") {
		t.Errorf("found %q, want the entries' metadata among them", places)
	}
	for _, place := range places {
		if strings.HasPrefix(place, "webhook_") {
			t.Errorf("%s holds personal data, which the deletion of an account would leave behind", place)
		}
	}
	entry := func(i int, more string) string {
		e := entries[i]
		return fmt.Sprintf(`"timestamp":%q,"data":{"userId":%d,"transactionId":%d,"deltaCredits":%d,"creditsBalance":%d,`+
			`"reason":%q,%s}}`, e.CreatedAt.UTC().Format("2006-01-02T15:04:05.999999Z07:00"), f.user, e.ID, e.DeltaCredits,
			e.BalanceAfter, e.Reason, more)
	}
	spent := `"feature":"resume_analysis","purchaseId":"0190a0a0-0000-7000-8000-000000000000"`
	want := map[string]string{
		"credits.added": `{"type":"credits.added",` + entry(0, `"feature":null,"purchaseId":null`),
		"credits.spent": `{"type":"credits.spent",` + entry(1, spent),
		"credits.low":   `{"type":"credits.low",` + entry(1, spent+`,"lowThreshold":50`),
		"webhook.test":  "",
	}
	got := r.received()
	if len(got) != len(want) {
		t.Errorf("%d requests, want %d", len(got), len(want))
	}
	for _, request := range got {
		body, known := want[request.message.Type]
		if !known || body != "" && string(request.body) != body {
			t.Errorf("body\n %s\nwant\n %s", request.body, body)
		}
		if request.message.Timestamp.IsZero() || !request.verify(t, secret) || request.verify(t, newSecret()) {
			t.Errorf("%s has time %v, and verifies with its secret: %v", request.message.Type, request.message.Timestamp,
				request.verify(t, secret))
		}
		if got := request.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("content type %q, want application/json", got)
		}
	}
}
