package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestDeletedAccountIsRemovedAfterRetention(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	before := time.Now().AddDate(-9, 0, 0)
	f.must(postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
		for _, delta := range []int{1200, -10} {
			err := tx.Exec(
				`INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, created_at) VALUES (?, ?, 'manual', ?, ?)`,
				f.user, delta, fmt.Sprintf(`{"purchase_id":%q}`, f.purchase.ID), before).Error
			if err != nil {
				return err
			}
		}
		return tx.Exec(`UPDATE users SET credits_balance = 1190 WHERE id = ?`, f.user).Error
	}))
	f.must(
		f.DB.Exec(
			`UPDATE purchases SET status = 'paid', payment_intent_id = 'pi_1', credits_granted = credits, paid_at = ?, created_at = ?`, before, before).Error)
	f.deliver(refund("evt_1", "re_1", 350))
	f.must(
		f.DB.Exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (?, ?, 'k', 350, 'asked', 'refused', now())`, uuid.New(), f.purchase.ID).Error)
	f.must(
		f.DB.Exec(
			`INSERT INTO stripe_customers (customer_id, user_id, livemode, deleted_at) VALUES ('cus_1', ?, false, now())`,
			f.user).Error)
	f.must(f.DB.Exec(`INSERT INTO gate_users (user_id, tenant_id) VALUES (?, repeat('a', 26))`, f.user).Error)
	other := dbtest.User(t, f.DB, "bob@example.com")
	// As Delete would have done nine years ago, without the rows that it would date today.
	f.must(f.DB.Exec(`DELETE FROM identities`).Error)
	f.must(
		f.DB.Exec(
			`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = ?, delete_after = current_date WHERE id = ?`,
			before, f.user).Error)
	f.must(f.accounts.EraseDue(context.Background()))
	for i, want := range []int64{0, 1, 0} {
		if n, err := f.accounts.RemoveDue(context.Background()); n != want || err != nil {
			t.Fatalf("sweep %d removed %d accounts, want %d (%v)", i, n, want, err)
		}
		if i == 0 {
			f.must(f.DB.Exec(`UPDATE users SET delete_after = current_date - 2 WHERE id = ?`, f.user).Error)
		}
	}
	for _, table := range []string{"credit_transactions", "purchases", "stripe_events", "stripe_refunds",
		"stripe_customers", "refund_requests", "holds", "sessions", "gate_users"} {
		var n int64
		f.must(f.DB.Table(table).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d rows of %s are left, want 0", n, table)
		}
	}
	var left []int64
	f.must(f.DB.Raw(`SELECT id FROM users`).Scan(&left).Error)
	if len(left) != 1 || left[0] != other.ID {
		t.Errorf("users left = %v, want %d alone", left, other.ID)
	}
	dbtest.CheckLedger(t, f.DB)
}

func TestOldPayloadsAreReduced(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	object := fmt.Sprintf(
		`{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid","status":"complete",%s
		"payment_intent":{"id":"pi_1","receipt_email":"ada@example.com"},"customer":"cus_1","client_reference_id":null,
		"currency":"chf","amount_subtotal":3400,"amount_total":3400,
		"currency_conversion":{"source_currency":"eur","amount_subtotal":3500,"fx_rate":"1"},"metadata":{"credits":"1200","purchase_id":%q,"name":"Ada Lovelace"}}`, customerDetails, f.purchase.ID)
	paid := event("evt_1", "checkout.session.completed", object)
	f.deliver(paid)
	f.deliver(event("evt_2", "ping.pong", `{"name":"Ada Lovelace"}`))
	f.must(f.DB.Exec(`INSERT INTO stripe_events SELECT
		(jsonb_populate_record(e, jsonb_build_object('event_id', 'evt_old_' || n))).* FROM stripe_events e, generate_series(1, 200) n
		WHERE event_id = 'evt_2'`).Error)
	reduced := func(id string) string {
		t.Helper()
		if err := periodic.Once(context.Background(), f.accounts.Jobs()); err != nil {
			t.Fatal(err)
		}
		var row models.StripeEvent
		f.must(f.DB.Take(&row, "event_id = ?", id).Error)
		return string(row.Payload)
	}
	f.clock = f.clock.Add(89 * 24 * time.Hour)
	if reduced("evt_1") != paid {
		t.Error("payload was reduced after 89 days, want it unchanged")
	}
	f.clock = f.clock.Add(2 * 24 * time.Hour)
	want, err := stripeapi.ObjectOf([]byte(paid))
	f.must(err)
	want.CustomerDetails.Email = ""
	delete(want.Metadata, "name")
	got, err := stripeapi.ObjectOf([]byte(reduced("evt_1")))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("fields that we read changed (%v): %s", err, diff)
	}
	var whole int64
	f.must(f.DB.Raw(`SELECT count(*) FROM stripe_events WHERE NOT reduced`).Scan(&whole).Error)
	if whole != 0 {
		t.Errorf("%d of 202 old payloads are whole after one run, want none", whole)
	}
	for _, id := range []string{"evt_1", "evt_2"} {
		if text := reduced(id); strings.Contains(text, "ada@example.com") || strings.Contains(text, "Lovelace") {
			t.Errorf("payload of %s = %s, want no personal data", id, text)
		}
	}
	f.wantBalance(1200)
}
