package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// Each id that our pages, letters, logs or Stripe show finds what it names, and nothing else does.
func TestFindByID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	hold, withdrawal, stranger := uuid.NewString(), uuid.NewString(), uuid.NewString()
	for _, statement := range []string{
		`UPDATE purchases SET payment_intent_id = 'pi_1', recovered_from = 'cs_0'`,
		`UPDATE users SET stripe_customer_id = 'cus_1' WHERE email = 'ada@example.com'`,
		`INSERT INTO stripe_customers (customer_id, user_id, livemode) SELECT 'cus_old', id, false FROM users WHERE email = 'ada@example.com'`,
		`INSERT INTO stripe_charges (charge_id, payment_ref, amount, amount_refunded, currency) VALUES ('ch_1', 'pi_1', 3500, 0, 'eur')`,
		`INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status) VALUES ('re_1', 'pi_1', 100, 'eur', 'pending')`,
		`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status) VALUES ('du_1', 'pi_1', 100, 'eur', 'won')`,
		`INSERT INTO stripe_events (event_id, type, livemode, payload, object_id, created_at_stripe)
			VALUES ('evt_1', 'charge.refunded', false, '', 'ch_foreign', 0), ('evt_2', 'charge.refunded', false, '', 'ch_foreign', 0)`,
		`INSERT INTO holds (id, user_id, feature, credits, status, expires_at) SELECT '` + hold + `', id, 'job_match', 5, 'released', now() FROM users WHERE email = 'ada@example.com'`,
		`INSERT INTO withdrawals (id, idempotency_key, user_id, purchase_id, name, email, contract, locale)
			SELECT '` + withdrawal + `', 'w', user_id, id, 'Ada', 'ada@example.com', 'x', 'de' FROM purchases`,
		`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale)
			VALUES ('` + stranger + `', 's', 'Zoë 100%', 'zoe@example.org', 'x', 'de')`,
		`INSERT INTO audit_log (actor, action, user_id, request_id) SELECT 'user', 'x', id, 'req_1' FROM users WHERE email = 'ada@example.com'`,
	} {
		f.must(f.DB.Exec(statement).Error)
	}
	for text, want := range map[string]string{
		"RM-1001": "purchase", "rm 1001": "purchase", "1001": "purchase", f.order.String(): "purchase",
		strings.ToUpper(f.order.String()): "purchase", "cs_1": "purchase", "cs_0": "purchase", "pi_1": "purchase",
		"ch_1": "purchase", "re_1": "purchase", " du_1 ": "purchase",
		"#2": "user", "2": "user", "cus_1": "user", "cus_old": "user",
		"evt_1": "event", "ch_foreign": "event event", hold: "hold", withdrawal: "withdrawal", "req_1": "request",
		"RM-1002": "", "3": "", "99999999999": "", "cs_2": "", "req_2": "", uuid.NewString(): "", uuid.Nil.String(): "",
	} {
		hits, isID, err := f.FindByID(t.Context(), text)
		var kinds []string
		for _, hit := range hits {
			kinds = append(kinds, string(hit.Kind))
			if !slices.Contains([]models.HitKind{models.HitEvent}, hit.Kind) && hit.User.ID != f.user.ID {
				t.Errorf("%q finds a %s of user %d, want %d", text, hit.Kind, hit.User.ID, f.user.ID)
			}
		}
		if got := strings.Join(kinds, " "); err != nil || !isID || got != want {
			t.Errorf("%q finds %q, an id: %t (%v), want %q, true", text, got, isID, err, want)
		}
	}
	for _, text := range []string{"", "ada", "RM-", "100%", "'; --", "a\x00", "pi_1 or", strings.Repeat("9", 300), "_",
		"e"} {
		if hits, isID, err := f.FindByID(t.Context(), text); isID || len(hits) > 0 || err != nil {
			t.Errorf("%q finds %d things, an id: %t (%v), want none, false", text, len(hits), isID, err)
		}
	}
	for text, want := range map[string]int{"zoe@": 1, "ZOë": 1, "100%": 1, "ada": 0, "%": 1, "_": 0, "": 0, "a\x00": 0} {
		if hits, err := f.FindAnonymousWithdrawals(t.Context(), text); err != nil || len(hits) != want {
			t.Errorf("%q finds %d declarations of strangers (%v), want %d", text, len(hits), err, want)
		}
	}
}
