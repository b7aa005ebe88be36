package purchase_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

var statements = []string{"I demand it.", "I know it."}

// What a buyer declares stands on the purchase for good: with its texts, version, hash, language and time.
func TestConsentStandsOnThePurchase(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	made := models.NewConsent(true, true, "de", statements, s.Now())
	order := s.order("form")
	order.Consent = made
	ids := make([]uuid.UUID, 20)
	dbtest.Concurrently(len(ids), func(i int) {
		started, err := s.Start(t.Context(), order)
		if err != nil {
			t.Errorf("start: %v", err)
		}
		ids[i] = started.PurchaseID
	})
	p, err := s.Service.Purchase(t.Context(), s.user.ID, ids[0].String())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("20 equal orders began the purchases %s and %s, want one", ids[0], id)
		}
	}
	c := p.Consent
	if !c.Complete() || strings.Join(c.Given(), " ") != "I demand it. I know it." || c.Version != models.ConsentVersion ||
		c.Hash != models.ConsentHash(statements) || c.Locale != "de" || !c.GivenAt.Equal(made.GivenAt) {
		t.Errorf("consent = %+v, want %+v", c, made)
	}
	t.Run("another declaration under the same key is a conflict", func(t *testing.T) {
		for name, other := range map[string]*models.Consent{
			"none": nil, "one statement": models.NewConsent(true, false, "de", statements, s.Now()),
		} {
			changed := order
			changed.Consent = other
			if _, err := s.Start(t.Context(), changed); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: error = %v, want a conflict", name, err)
			}
		}
	})
	t.Run("the database refuses a change", func(t *testing.T) {
		for _, change := range []string{`NULL`, `consent || '{"compensation": false}'`, `'[]'`} {
			if err := s.db.Exec(`UPDATE purchases SET consent = `+change+` WHERE id = ?`, p.ID).Error; err == nil {
				t.Errorf("the consent was set to %s, want the database to refuse", change)
			}
		}
	})
}

// An order without both statements has no complete consent, whichever is missing.
func TestConsentNeedsBothStatements(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ early, compensation, complete bool }{
		{false, false, false}, {true, false, false}, {false, true, false}, {true, true, true},
	} {
		made := models.NewConsent(c.early, c.compensation, "en", statements, models.Now())
		if made.Complete() != c.complete {
			t.Errorf("early start %v, compensation %v: complete = %v, want %v", c.early, c.compensation, made.Complete(),
				c.complete)
		}
	}
}

// The confirmation of the order repeats what the buyer declared. Source: § 312f Abs. 3 BGB
func TestConfirmationRepeatsTheConsent(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	id := uuid.Must(uuid.NewV7())
	f.must(f.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
		idempotency_key, checkout_session_id, consent) VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', 'c', 'cs_consent', ?)`,
		id, f.user.ID, models.NewConsent(true, false, "de", statements, f.clock)).Error)
	f.must(f.bookFetched(purchase.Checkout{ID: "cs_consent", PaymentStatus: "paid", PaymentIntent: "pi_consent",
		Currency: "eur", Subtotal: 3500, Paid: 3500, PaidCurrency: "eur"}))
	var letter models.Letter
	f.must(f.DB.Take(&letter, "kind = ? AND key = ?", models.LetterPurchasePaid, id.String()).Error)
	if !strings.Contains(string(letter.Args), "I demand it.") {
		t.Errorf("arguments of the letter = %s, want the statement in them", letter.Args)
	}
}
