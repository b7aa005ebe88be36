package purchase_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
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

// A purchase in review is returned once all of its money is back, and in review again when a refund fails.
func TestReviewEndsWhenTheMoneyIsBack(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	id, session := f.inState(models.PurchasePending)
	paid := paidSession(session, "pi_2")
	paid.Subtotal, paid.Paid = 3499, 3499
	if err := f.bookFetched(paid); !errors.Is(err, models.CauseAmount) {
		t.Errorf("another amount than ordered: error = %v, want %s", err, models.CauseAmount)
	}
	for _, c := range []struct {
		refund, status string
		cents          int64
		want           models.PurchaseStatus
	}{
		{"re_1", "succeeded", 3498, models.PurchaseReview}, {"re_2", "succeeded", 1, models.PurchaseReturned},
		{"re_2", "failed", 1, models.PurchaseReview},
	} {
		f.must(f.bookFetched(purchase.Refund{ID: c.refund, PaymentRef: "pi_2", Currency: "eur", Status: c.status,
			Amount: c.cents}))
		if p := f.standing(id); p.Status != c.want || p.CreditsGranted != 0 {
			t.Errorf("refund of %d cents %s: purchase is %s with %d credits, want %s with none", c.cents, c.status, p.Status,
				p.CreditsGranted, c.want)
		}
	}
	f.wantBalance(1200)
}

// Reports about one payment are booked one after the other, also before its purchase is known.
func TestReportsOfAPaymentWaitForEachOther(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	reports := []purchase.Report{
		purchase.Refund{ID: "re_2", PaymentRef: "pi_2", Currency: "eur", Status: "succeeded", Amount: 100},
		purchase.Charge{ID: "ch_2", PaymentRef: "pi_2", Currency: "eur", Amount: 3500, AmountRefunded: 100},
		purchase.Dispute{ID: "dp_2", PaymentRef: "pi_2", Currency: "eur", Status: "lost", Amount: 100},
	}
	var waiting sync.WaitGroup
	err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		first := purchase.Refund{ID: "re_1", PaymentRef: "pi_2", Currency: "eur", Status: "succeeded", Amount: 100}
		if _, err := f.Book(tx, first, purchase.StripeFacts{}, ""); !errors.Is(err, purchase.ErrNotOurs) {
			t.Errorf("refund of an unknown payment: error = %v, want %v", err, purchase.ErrNotOurs)
		}
		for _, r := range reports {
			waiting.Go(func() {
				if err := f.bookFetched(r); !errors.Is(err, purchase.ErrNotOurs) {
					t.Errorf("%T: error = %v, want %v", r, err, purchase.ErrNotOurs)
				}
			})
		}
		dbtest.WaitForBlocked(t, f.DB, int64(len(reports)))
		return nil
	})
	waiting.Wait()
	f.must(err)
}
