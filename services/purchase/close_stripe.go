package purchase

import (
	"context"
	"errors"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// closeBatch is how many sessions or customers are closed at a time.
const closeBatch = 200

// CloseAtStripe ends what deleted accounts have at Stripe: Checkouts that could still be paid, and then the customers,
// with name and address. Payments and receipts stay there, for as long as Stripe must keep them.
//
// A customer whose payment is under way waits for it. Errors: those of single calls, after all were tried.
func (s *Service) CloseAtStripe(ctx context.Context) error {
	db := s.DB.WithContext(ctx)
	var sessions []string
	err := db.Raw(`SELECT p.checkout_session_id FROM purchases p JOIN users u ON u.id = p.user_id
		WHERE u.deleted_at IS NOT NULL AND p.status = 'pending' AND p.checkout_session_id IS NOT NULL LIMIT ?`, closeBatch).Scan(&sessions).Error
	if err != nil {
		return fmt.Errorf("open Checkouts of deleted accounts: %w", err)
	}
	var failed error
	for _, id := range sessions {
		failed = errors.Join(failed, s.endCheckout(ctx, id))
	}
	var customers []leftCustomer
	err = db.Raw(`SELECT c.customer_id, c.user_id, c.created_by_us FROM stripe_customers c JOIN users u ON u.id = c.user_id
		WHERE u.deleted_at IS NOT NULL AND c.deleted_at IS NULL
		AND NOT EXISTS (SELECT FROM purchases p WHERE p.user_id = u.id AND p.status IN ('pending', 'awaiting_payment') AND p.checkout_session_id IS NOT NULL)
		LIMIT ?`, closeBatch).Scan(&customers).Error
	if err != nil {
		return fmt.Errorf("customers of deleted accounts: %w", err)
	}
	for _, c := range customers {
		failed = errors.Join(failed, s.leaveCustomer(ctx, c))
	}
	return failed
}

// leftCustomer is a Stripe customer of a deleted account.
type leftCustomer struct {
	CustomerID  string
	UserID      int64
	CreatedByUs *bool
}

// leaveCustomer deletes a customer that we made, and forgets any other: deleting it would end what another product sold.
// Source: https://docs.stripe.com/api/customers/delete (subscriptions are canceled)
func (s *Service) leaveCustomer(ctx context.Context, c leftCustomer) error {
	db := s.DB.WithContext(ctx)
	err := s.checkCustomer(ctx, c.CustomerID, c.UserID, c.CreatedByUs)
	switch {
	case errors.Is(err, errNotOurCustomer):
		if err := db.Exec(`DELETE FROM stripe_customers WHERE customer_id = ?`, c.CustomerID).Error; err != nil {
			return fmt.Errorf("forget a customer that we did not make: %w", err)
		}
		return nil
	case errors.Is(err, errCustomerGone):
	case err != nil:
		return err
	default:
		params := &stripe.CustomerParams{}
		params.Context = ctx
		if _, err := s.Stripe.Customers.Del(c.CustomerID, params); err != nil && stripeapi.MissingParam(err) == "" {
			return stripeapi.Fault(err)
		}
	}
	err = db.Exec(`UPDATE stripe_customers SET deleted_at = coalesce(deleted_at, now()) WHERE customer_id = ?`, c.CustomerID).Error
	if err != nil {
		return fmt.Errorf("note that a customer is deleted: %w", err)
	}
	return nil
}

// endCheckout keeps a session from being paid. One that is over already says so when it is read.
func (s *Service) endCheckout(ctx context.Context, sessionID string) error {
	params := &stripe.CheckoutSessionExpireParams{}
	params.Context = ctx
	_, _ = s.Stripe.CheckoutSessions.Expire(sessionID, params) // what has become of it is read below
	session, err := s.fetchCheckout(ctx, sessionID)
	switch {
	case errors.Is(err, ErrNotOurs): // Stripe no longer knows it
		return nil
	case err != nil:
		return err
	}
	_, err = s.BookFetched(ctx, session, nil)
	if errors.As(err, new(ReviewError)) { // its event says so, too
		s.Log.ErrorContext(ctx, "a Checkout of a deleted account needs a person", "session", sessionID, "reason", err)
		return nil
	}
	return err
}
