package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	// refreshBudget bounds how long a page waits for Stripe.
	refreshBudget = 2 * time.Second
	// checkBudget bounds how long an admin waits for Stripe, who asked for it.
	checkBudget = 6 * time.Second
	// refreshGrace is the time that the events of single refunds have before Stripe is asked for the list.
	refreshGrace = 10 * time.Second
	// refreshPause is the time between two attempts to read a list of refunds.
	refreshPause = 5 * time.Minute
	// refreshBatch bounds the lists of refunds that are read in a row.
	refreshBatch = 20
)

// RefreshSession asks Stripe for a session and books what its event has not brought yet. It serves the buyer who
// returns before the event comes. A failure is logged, and the event books the session later.
//
// Locks: the payment, the purchase, then its user. Idempotent: the event then finds nothing left to book.
func (s *Service) RefreshSession(ctx context.Context, sessionID string) {
	ctx, cancel := context.WithTimeout(ctx, refreshBudget)
	defer cancel()
	session, err := s.fetchCheckout(ctx, sessionID)
	if err == nil {
		_, err = s.BookFetched(ctx, session, nil)
	}
	if err != nil && !errors.Is(err, ErrNotOurs) {
		s.Log.WarnContext(ctx, "refresh of a session failed", "session", sessionID, "err", err)
	}
}

// RefreshOutcome is what Refresh came to. Its text is flash.check_<outcome>.
type RefreshOutcome string

// The outcomes.
const (
	RefreshBooked RefreshOutcome = "booked" // what Stripe says is booked
	RefreshUnpaid RefreshOutcome = "unpaid" // nothing has been paid yet
	RefreshReview RefreshOutcome = "review" // Stripe contradicts our rows, so a person must decide
	RefreshAway   RefreshOutcome = "away"   // Stripe does not answer
)

// Refresh asks Stripe for the session and the refunds of a purchase, books what is missing, and returns how many
// entries that added.
//
// Locks: none across the network. Idempotent: by the reports that it books.
// Errors: fault.NotFound.
func (s *Service) Refresh(ctx context.Context, id string) (outcome RefreshOutcome, entries int, err error) {
	d, err := s.Detail(ctx, id)
	if err != nil {
		return "", 0, err
	}
	// First, so that the audit log names the actor whatever the refresh comes to.
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		return models.AppendAudit(tx, models.AuditEvent{
			Action: models.ActionPurchaseCheck, UserID: d.UserID, Detail: map[string]any{"purchase_id": d.ID},
		})
	})
	if err != nil {
		return "", 0, err
	}
	inTime, cancel := context.WithTimeout(ctx, checkBudget)
	defer cancel()
	entries, err = s.refresh(inTime, d.CheckoutSessionID)
	switch {
	case err == nil:
		return RefreshBooked, entries, nil
	case fault.Is(err, fault.Unavailable):
		outcome = RefreshAway
	case errors.Is(err, ErrNotOurs):
		outcome = RefreshUnpaid
	case errors.As(err, new(ReviewError)):
		outcome = RefreshReview
	default:
		return "", 0, err
	}
	s.Log.WarnContext(ctx, "refresh purchase failed", "purchase_id", d.ID, "err", err)
	return outcome, 0, nil
}

// refresh books what Stripe says of a session and its refunds, and returns how many entries that added.
//
// Errors: ErrNotOurs while nothing has been paid; ReviewError; fault.Unavailable when Stripe does not answer.
func (s *Service) refresh(ctx context.Context, sessionID string) (int, error) {
	if sessionID == "" {
		return 0, ErrNotOurs
	}
	session, err := s.fetchCheckout(ctx, sessionID)
	if err != nil {
		return 0, err
	}
	rows, err := s.BookFetched(ctx, session, nil)
	switch {
	case err != nil:
		return 0, err
	case session.Expired || session.Failed: // the purchase says so now
		return 0, ErrNotOurs
	case session.PaymentIntent == "":
		return len(rows), nil
	}
	n, err := s.refreshRefunds(ctx, session.PaymentIntent)
	return len(rows) + n, err
}

// scheduleRefresh marks the charge of a payment when its sum of refunds does not show which of them stand. Stripe does
// not document whether a failed refund leaves the sum. So once a refund has failed, or the sum exceeds the refunds that
// we know, the list of refunds decides. Until then the ledger follows what is known, and takes no more credits than
// money went back.
func scheduleRefresh(tx models.Tx, paymentRef string, at time.Time) error {
	m, err := moneyBack(tx.DB, models.Purchase{PaymentIntentID: paymentRef})
	if err != nil || (m.RefundsBad == 0 && (m.RefundsGood == 0 || m.ChargeCumulated <= m.RefundsGood)) {
		return err
	}
	if err := tx.Exec(`UPDATE stripe_charges SET reread_at = ? WHERE payment_ref = ?`, at, paymentRef).Error; err != nil {
		return fmt.Errorf("schedule a refresh of payment %s: %w", paymentRef, err)
	}
	return nil
}

// RefreshRefundsDue asks Stripe for the refunds of every charge whose refresh is due, and books them. A charge that
// fails is due again after refreshPause.
//
// Locks: none across the network. Errors: the last one, after all due charges were tried.
func (s *Service) RefreshRefundsDue(ctx context.Context) error {
	var due []Charge
	next := s.Now().Add(refreshPause)
	err := s.DB.WithContext(ctx).Raw(`UPDATE stripe_charges SET reread_at = @next WHERE charge_id IN (
		SELECT charge_id FROM stripe_charges WHERE reread_at <= @now ORDER BY reread_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		RETURNING charge_id AS id, payment_ref`, map[string]any{"now": s.Now(), "next": next, "batch": refreshBatch}).Scan(&due).Error
	if err != nil {
		return fmt.Errorf("charges whose refresh is due: %w", err)
	}
	for _, c := range due {
		if e := s.refreshCharge(ctx, c, next); e != nil {
			err = e
		}
	}
	return err
}

// refreshCharge books every refund of a charge's payment and ends the charge's refresh, unless a newer one was
// scheduled meanwhile.
func (s *Service) refreshCharge(ctx context.Context, c Charge, scheduled time.Time) error {
	if _, err := s.refreshRefunds(ctx, c.PaymentRef); err != nil {
		return err
	}
	err := s.DB.WithContext(ctx).Exec(`UPDATE stripe_charges SET reread_at = NULL WHERE charge_id = ? AND reread_at = ?`,
		c.ID, scheduled).Error
	if err != nil {
		return fmt.Errorf("end the refresh of charge %s: %w", c.ID, err)
	}
	return nil
}

// refreshRefunds books every refund of a payment as Stripe lists it, and returns how many entries that added.
//
// Source: https://docs.stripe.com/api/refunds/list
func (s *Service) refreshRefunds(ctx context.Context, paymentRef string) (int, error) {
	params := &stripe.RefundListParams{PaymentIntent: stripe.String(paymentRef)}
	params.Context = ctx
	params.Limit = stripe.Int64(stripeapi.PageSize)
	added := 0
	refunds := s.Stripe.Refunds.List(params)
	for refunds.Next() {
		r := RefundOf(refunds.Refund())
		if r.PaymentRef != paymentRef { // a server that ignores the filter must not make us book another payment's refund
			continue
		}
		r.Listed = true
		rows, err := s.BookFetched(ctx, r, nil)
		if err != nil && !errors.Is(err, ErrNotOurs) && !errors.As(err, new(ReviewError)) { // the event opens the review
			return added, err
		}
		added += len(rows)
	}
	// A payment unknown to Stripe has no refunds.
	if err := refunds.Err(); err != nil && stripeapi.MissingParam(err) == "" {
		return added, stripeapi.Fault(err)
	}
	return added, nil
}
