package admin_test

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/admin"
)

// A refund waits for a person once Stripe has not answered for an hour. One that a buyer asked for also waits once
// Stripe has refused it, or once it has failed without an account to write to, until an admin asks again.
func TestRefundsThatWaitForAPerson(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	exec := func(statement string, args ...any) {
		t.Helper()
		if err := db.Exec(statement, args...).Error; err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	want := func(when string, causes ...string) {
		t.Helper()
		rows, total, err := s.Waiting(t.Context(), 10)
		var got []string
		for _, w := range rows {
			got = append(got, string(w.Kind)+" "+string(w.Cause))
		}
		if err != nil || !slices.Equal(got, causes) || total != int64(len(causes)) {
			t.Errorf("%s: %q wait (%v), want %q", when, got, err, causes)
		}
	}
	exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 100, 500)`)
	exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key,
			status, payment_intent_id, paid_at, paid_cents, credits_granted)
		VALUES (gen_random_uuid(), ?, 'price_1', 1, 100, 500, 'eur', 'de', 'order', 'paid', 'pi_1', now(), 500, 100)`, user.ID)
	request := func(key, status string, goodwill bool, refund string) {
		t.Helper()
		exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, status, goodwill, refund_id, last_error, next_attempt_at, created_at)
			SELECT gen_random_uuid(), id, @key, 500, '', @status, @goodwill, nullif(@refund, ''),
				CASE @status WHEN 'refused' THEN 'stripe_refused x' ELSE '' END, now(), clock_timestamp() FROM purchases`,
			map[string]any{"key": key, "status": status, "goodwill": goodwill, "refund": refund})
	}
	request("admin", "refused", false, "")
	want("the refund of an admin, who has seen the refusal")
	request("one", "pending", true, "")
	want("a request that Stripe has just been sent")
	exec(`UPDATE refund_requests SET created_at = created_at - interval '61 minutes'`)
	want("after an hour", "refund no_answer")
	exec(`UPDATE refund_requests SET status = 'refused', last_error = 'stripe_refused x' WHERE idempotency_key = 'one'`)
	want("once it is refused", "refund stripe_refused x")
	request("again", "sent", true, "re_1")
	want("after another request")
	exec(`INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status) VALUES ('re_1', 'pi_1', 500, 'eur', 'failed')`)
	want("a failure that the buyer has a letter about")
	exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now()`)
	want("a failure after the account was deleted", "refund refund_failed")
	exec(`UPDATE purchases SET credits_refunded = 100`)
	want("once all is refunded")
}

// The list of what waits is read with every first page of the admin area, so it must not read all purchases and users,
// however many refunds buyers have asked for.
func TestWaitingReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for _, statement := range []string{
		`INSERT INTO users (email, name) SELECT 'u' || n || '@example.com', 'Ada' FROM generate_series(1, 5000) n`,
		`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, paid_at, credits_granted)
			SELECT gen_random_uuid(), id, 1, 500, 2000, 'eur', 'de', 'k', 'paid', now(), 500 FROM users`,
		`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, next_attempt_at, status, refund_id, goodwill)
			SELECT gen_random_uuid(), id, 'k', 100, '', now(), 'sent', 're_' || number, true FROM purchases WHERE number % 2 = 0`,
		`ANALYZE`,
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
		const scansSQL = `SELECT pg_stat_get_xact_numscans('purchases'::regclass) + pg_stat_get_xact_numscans('users'::regclass)`
		var before, after int64
		err := tx.Raw(scansSQL).Scan(&before).Error
		if err == nil {
			_, _, err = (&admin.Service{DB: tx.DB}).Waiting(t.Context(), 10)
		}
		if err == nil {
			err = tx.Raw(scansSQL).Scan(&after).Error
		}
		if after != before {
			t.Errorf("the list read all purchases or users %d times, want 0", after-before)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
