package mail_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/mail"
)

func (f *fixture) exec(statement string, args ...any) {
	f.t.Helper()
	if err := f.DB.Exec(statement, args...).Error; err != nil {
		f.t.Errorf("%s: %v", statement, err)
	}
}

// wantOperator checks which letters the operator got so far, by kind and what they are about.
func (f *fixture) wantOperator(when string, want ...string) {
	f.t.Helper()
	var got []string
	err := f.DB.Raw(`SELECT kind || ' ' || key FROM letters WHERE user_id IS NULL AND recipient = '' ORDER BY created_at, kind, key`).Scan(&got).Error
	if err != nil || !slices.Equal(got, want) {
		f.t.Errorf("%s: letters to the operator are %q (%v), want %q", when, got, err, want)
	}
}

// The operator gets one letter about each thing that needs a person, in the transaction that stores it.
func TestOperatorIsTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const purchase = "00000000-0000-7000-8000-000000000001"
	f.exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 500, 2000)`)
	f.exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key,
			checkout_session_id, payment_intent_id)
		VALUES (?, ?, 'price_1', 1, 500, 2000, 'eur', 'en', 'k', 'cs_1', 'pi_1')`, purchase, f.user.ID)
	f.exec(`INSERT INTO stripe_events (event_id, type, livemode, object_id, payload, created_at_stripe)
		VALUES ('evt_1', 'charge.refunded', false, 'ch_1', '', 0), ('evt_2', 'checkout.session.completed', false, 'cs_1', '', 0)`)
	f.exec(`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, priority)
		VALUES ('00000000-0000-7000-8000-000000000002', 'flood', 'Ada', 'ada@example.com', 'x', 'de', 2)`)
	f.exec(`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status)
		VALUES ('dp_theirs', 'pi_theirs', 100, 'eur', 'needs_response'), ('dp_won', 'pi_1', 100, 'eur', 'won')`)
	f.wantOperator("before anything needs a person")

	dbtest.Concurrently(20, func(int) {
		f.exec(`UPDATE purchases SET status = CASE status WHEN 'review' THEN 'pending' ELSE 'review' END, cause = 'amount_differs'`)
	})
	f.exec(`UPDATE purchases SET status = 'review'`)
	want := []string{"operator_purchase " + purchase}
	f.wantOperator("after a purchase went to review and back ten times", want...)

	f.exec(`UPDATE stripe_events SET status = 'review', last_error = 'refund_status odd'`)
	want = append(want, "operator_event evt_1")
	f.wantOperator("after two events, one of them of that purchase", want...)

	f.exec(`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status, due_by)
		VALUES ('dp_1', 'pi_1', 2000, 'eur', 'needs_response', '2026-12-06 23:59:59+00')`)
	want = append(want, "operator_dispute dp_1")
	f.wantOperator("after a dispute", want...)

	f.exec(`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, priority)
		VALUES ('00000000-0000-7000-8000-000000000003', 'one', 'Ada', 'ada@example.com', 'x', 'de', 1)`)
	want = append(want, "operator_withdrawal 00000000-0000-7000-8000-000000000003")
	f.wantOperator("after a withdrawal", want...)

	f.exec(`INSERT INTO reconciliations (since) VALUES (now())`)
	f.exec(`UPDATE reconciliations SET finished_at = now()`)
	f.wantOperator("after a reconciliation without findings", want...)
	f.exec(`INSERT INTO reconciliations (since) VALUES (now())`)
	f.exec(`INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id) SELECT max(id), 'balance', 'user:1' FROM reconciliations`)
	f.exec(`UPDATE reconciliations SET finished_at = now() WHERE finished_at IS NULL`)
	f.wantOperator("after one with findings", append(want, "operator_findings 2")...)
}

// Letters to the operator go to ADMIN_EMAILS, in the language of the first account among them.
func TestOperatorReadsTheirLanguage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	written, write := "", f.Write
	f.Write = func(l models.Letter, to mail.Recipient) (mail.Content, error) {
		written = l.Locale
		return write(l, to)
	}
	for _, want := range []string{"en", "de"} {
		f.exec(`SELECT operator_letter('operator_event', ?, '{}')`, want)
		f.send()
		letters := f.box.Letters()
		if to := strings.Join(letters[len(letters)-1].To, ","); written != want || to != "admin@example.com" {
			t.Errorf("letter in %q to %s, want %q to admin@example.com", written, to, want)
		}
		f.exec(`INSERT INTO users (email, locale) VALUES ('admin@example.com', 'de') ON CONFLICT DO NOTHING`)
	}
}

// A thousand events in review send twenty letters. Another kind, and the next hour, have their own.
func TestOperatorLettersAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	count := func(when, kind string, waiting, dropped int64) {
		t.Helper()
		var got struct{ Waiting, Dropped int64 }
		err := f.DB.Raw(`SELECT count(*) FILTER (WHERE status = 'waiting') AS waiting,
			count(*) FILTER (WHERE status = 'dropped' AND last_error = 'mail_limit') AS dropped FROM letters WHERE kind = ?`, kind).
			Scan(&got).Error
		if err != nil || got.Waiting != waiting || got.Dropped != dropped {
			t.Errorf("%s: %d letters of %s wait and %d were dropped (%v), want %d and %d", when, got.Waiting, kind, got.Dropped,
				err, waiting, dropped)
		}
	}
	f.exec(`INSERT INTO stripe_events (event_id, type, livemode, object_id, payload, created_at_stripe)
		SELECT 'evt_' || n, 'charge.refunded', true, 'ch_' || n, '{}', 1 FROM generate_series(1, 1000) n`)
	f.exec(`UPDATE stripe_events SET status = 'review', last_error = 'panic'`)
	count("a thousand events", "operator_event", 20, 980)
	f.exec(`SELECT operator_letter('operator_event', 'evt_1', '{}')`)
	count("a repeat", "operator_event", 20, 980)
	if err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		return mail.Add(tx, mail.Letter{Kind: models.LetterOperatorSilence, About: "cs_1"})
	}); err != nil {
		t.Fatal(err)
	}
	count("another kind", "operator_silence", 1, 0)
	f.exec(`UPDATE letters SET created_at = now() - interval '61 minutes'`)
	f.exec(`SELECT operator_letter('operator_event', 'evt_next', '{}')`)
	count("an hour later", "operator_event", 21, 980)
}
