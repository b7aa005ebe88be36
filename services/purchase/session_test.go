package purchase_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// inState inserts a purchase with a status, and a session of its own.
func (f *refundFixture) inState(status models.PurchaseStatus) (id uuid.UUID, session string) {
	f.t.Helper()
	session = "cs_" + uuid.NewString()
	id = f.order(session)
	f.must(f.DB.Exec(`UPDATE purchases SET status = ? WHERE id = ?`, status, id).Error)
	return id, session
}

// A session of a bank's payment moves an open purchase. Stripe's copy of an expired session, which the buyer gets by
// e-mail, opens the purchase again; a late report of the expired session itself does not.
func TestSessionsWithoutPayment(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	asCopy := func(c *purchase.Checkout) { c.ID, c.RecoveredFrom = c.ID+"_copy", c.ID }
	asFailed := func(c *purchase.Checkout) { c.Failed = true }
	asFailedCopy := func(c *purchase.Checkout) { asCopy(c); asFailed(c) }
	for name, c := range map[string]struct {
		before  models.PurchaseStatus
		change  func(*purchase.Checkout)
		after   models.PurchaseStatus
		copied  bool // the purchase continues with the copy
		letters int  // about the payment by the bank
	}{
		"begun":                 {models.PurchasePending, nil, models.PurchaseAwaitingPayment, false, 1},
		"begun, then failed":    {models.PurchasePending, asFailed, models.PurchaseFailed, false, 1},
		"failed":                {models.PurchaseAwaitingPayment, asFailed, models.PurchaseFailed, false, 1},
		"late, of an expired":   {models.PurchaseExpired, nil, models.PurchaseExpired, false, 0},
		"failed, of an expired": {models.PurchaseExpired, asFailed, models.PurchaseExpired, false, 0},
		"a copy":                {models.PurchaseExpired, asCopy, models.PurchaseAwaitingPayment, true, 1},
		"a copy that failed":    {models.PurchaseExpired, asFailedCopy, models.PurchaseFailed, false, 1},
		"a copy of another": {models.PurchaseExpired, func(c *purchase.Checkout) { c.RecoveredFrom = "cs_other" },
			models.PurchaseExpired, false, 0},
		"after a failure": {models.PurchaseFailed, nil, models.PurchaseFailed, false, 1},
	} {
		id, session := f.inState(c.before)
		unpaid := purchase.Checkout{ID: session, PaymentStatus: "unpaid", Currency: "eur", Subtotal: 3500}
		if c.change != nil {
			c.change(&unpaid)
		}
		f.must(f.bookFetched(unpaid))
		p := f.standing(id)
		if p.Status != c.after || (p.CheckoutSessionID != session) != c.copied || (p.RecoveredFrom == session) != c.copied {
			t.Errorf("%s: purchase is %s with session %s, recovered from %q; want %s, copy %v", name, p.Status,
				p.CheckoutSessionID, p.RecoveredFrom, c.after, c.copied)
		}
		letters := f.lettersAbout(id)
		if n := letters[models.LetterDebitPending] + letters[models.LetterDebitFailed]; n != c.letters {
			t.Errorf("%s: letters %v, want %d about the bank's payment", name, letters, c.letters)
		}
	}
	f.wantBalance(1200)
}

// A copy of an expired session can pay for its purchase, once.
func TestCopyOfASessionIsPaidOnce(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	id, session := f.inState(models.PurchaseExpired)
	copied := paidSession(session+"_copy", "pi_copy")
	copied.RecoveredFrom = session
	for range 2 {
		f.must(f.bookFetched(copied))
	}
	if p := f.standing(id); p.Status != models.PurchasePaid || p.CheckoutSessionID != copied.ID ||
		p.RecoveredFrom != session {
		t.Errorf("purchase is %s with session %s, recovered from %q; want paid with the copy", p.Status,
			p.CheckoutSessionID, p.RecoveredFrom)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"object":"list","data":[]}`)
	}))
	t.Cleanup(server.Close)
	f.Stripe = stripeapi.New(testKey, server.URL)
	_, err := f.BookFetched(t.Context(), paidSession(session, "pi_late"), nil)
	if !errors.Is(err, models.CausePaidTwice) {
		t.Errorf("the expired session is paid, too: error = %v, want %s", err, models.CausePaidTwice)
	}
	f.wantBalance(2400)
}

// The failure of a bank's payment ends an unpaid purchase. It contradicts a purchase that this session has paid for,
// and says nothing about one that another session has paid for, or that is another product's.
func TestRecordFailure(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	for name, c := range map[string]struct {
		before models.PurchaseStatus
		change string // of the purchase
		after  models.PurchaseStatus
		err    error
	}{
		"while the bank decides": {models.PurchaseAwaitingPayment, `updated_at = now()`, models.PurchaseFailed, nil},
		"of a pending purchase":  {models.PurchasePending, `updated_at = now()`, models.PurchaseFailed, nil},
		"paid by this session":   {models.PurchasePaid, `paid_at = now()`, models.PurchasePaid, models.CauseBookedFailed},
		"paid by its copy": {models.PurchasePaid, `paid_at = now(), recovered_from = checkout_session_id,
			checkout_session_id = checkout_session_id || '_copy'`, models.PurchasePaid, nil},
		"another product's": {models.PurchaseForeign, `paid_at = now()`, models.PurchaseForeign, nil},
	} {
		id, session := f.inState(c.before)
		f.must(f.DB.Exec(`UPDATE purchases SET `+c.change+` WHERE id = ?`, id).Error)
		err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
			_, err := purchase.RecordFailure(tx, purchase.Checkout{ID: session, PaymentStatus: "unpaid"})
			return err
		})
		if p := f.standing(id); !errors.Is(err, c.err) || p.Status != c.after {
			t.Errorf("%s: purchase is %s, error %v; want %s, %v", name, p.Status, err, c.after, c.err)
		}
	}
	err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		_, err := purchase.RecordFailure(tx, purchase.Checkout{ID: "cs_unknown", PaymentStatus: "unpaid"})
		return err
	})
	if !errors.Is(err, purchase.ErrNotOurs) {
		t.Errorf("of an unknown session: error = %v, want %v", err, purchase.ErrNotOurs)
	}
}
