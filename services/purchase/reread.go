package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// How long the refunds' own events are waited for before Stripe is asked, and how long until the next attempt.
const (
	refreshGrace = 10 * time.Second
	refreshPause = 5 * time.Minute
	refreshBatch = 20
)

// scheduleRefresh marks a payment's charge when its sum of refunds does not tell which of them stand. Nobody documents whether a
// refund that fails leaves the sum, so once one has failed, or the sum tells of refunds that we have not seen, the
// list of refunds decides. Until it is read the ledger follows what is known: never more is taken than went back.
func scheduleRefresh(tx models.Tx, paymentRef string, at time.Time) error {
	m, err := moneyBack(tx.DB, models.Purchase{PaymentIntentID: paymentRef})
	if err != nil || (m.RefundsBad == 0 && (m.RefundsGood == 0 || m.ChargeCumulated-m.RefundsBad <= m.RefundsGood)) {
		return err
	}
	if err := tx.Exec(`UPDATE stripe_charges SET reread_at = ? WHERE payment_ref = ?`, at, paymentRef).Error; err != nil {
		return fmt.Errorf("mark the charge of payment %s: %w", paymentRef, err)
	}
	return nil
}

// RefreshRefundsDue asks Stripe for the refunds of every charge that is marked and due, and books them. What Stripe does not
// answer now is asked again later.
//
// Locks: none across the network. Errors: of the database; of Stripe, after all due charges were tried.
func (s *Service) RefreshRefundsDue(ctx context.Context) error {
	var due []Charge
	next := s.Now().Add(refreshPause)
	err := s.DB.WithContext(ctx).Raw(`UPDATE stripe_charges SET reread_at = @next WHERE charge_id IN (
		SELECT charge_id FROM stripe_charges WHERE reread_at <= @now ORDER BY reread_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		RETURNING charge_id AS id, payment_ref`, map[string]any{"now": s.Now(), "next": next, "batch": refreshBatch}).Scan(&due).Error
	if err != nil {
		return fmt.Errorf("charges to read again: %w", err)
	}
	for _, c := range due {
		if e := s.reread(ctx, c, next); e != nil {
			err = e
		}
	}
	return err
}

// reread books every refund of one charge's payment, and takes the mark off that it was given; a newer one stays.
func (s *Service) reread(ctx context.Context, c Charge, mark time.Time) error {
	if _, err := s.readRefunds(ctx, c.PaymentRef); err != nil {
		return err
	}
	err := s.DB.WithContext(ctx).Exec(`UPDATE stripe_charges SET reread_at = NULL WHERE charge_id = ? AND reread_at = ?`, c.ID, mark).Error
	if err != nil {
		return fmt.Errorf("unmark charge %s: %w", c.ID, err)
	}
	return nil
}

// readRefunds books every refund of a payment as Stripe lists it, and tells how many lines that added to the ledger.
// Source: https://docs.stripe.com/api/refunds/list
func (s *Service) readRefunds(ctx context.Context, paymentRef string) (int, error) {
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
		if err != nil && !errors.Is(err, ErrNotOurs) && !errors.As(err, new(ReviewError)) { // its event hands it to a person
			return added, err
		}
		added += len(rows)
	}
	if err := refunds.Err(); err != nil && stripeapi.MissingParam(err) == "" { // a payment that this account does not know has none
		return added, stripeapi.Fault(err)
	}
	return added, nil
}
