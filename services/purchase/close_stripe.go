package purchase

import (
	"context"
	"errors"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// closeBatch bounds how many sessions, and how many customers, one call closes.
const closeBatch = 200

// CloseAtStripe expires the open Checkout Sessions of deleted accounts, and then deletes their customers at Stripe,
// with name and address. Stripe keeps payments and receipts for as long as it must. A customer with a payment under way
// is deleted after that payment.
//
// Errors: those of the single calls, joined, after all were tried.
func (s *Service) CloseAtStripe(ctx context.Context) error {
	db := s.DB.WithContext(ctx)
	var sessions []string
	err := db.Raw(`SELECT p.checkout_session_id FROM purchases p JOIN users u ON u.id = p.user_id
		WHERE u.deleted_at IS NOT NULL AND p.status = 'pending' AND p.checkout_session_id IS NOT NULL LIMIT ?`, closeBatch).Scan(&sessions).Error
	if err != nil {
		return fmt.Errorf("open Checkout Sessions of deleted accounts: %w", err)
	}
	var failed error
	for _, id := range sessions {
		failed = errors.Join(failed, s.expireSession(ctx, id))
	}
	customers, err := closedCustomers(db)
	if err != nil {
		return err
	}
	for _, c := range customers {
		failed = errors.Join(failed, s.deleteCustomer(ctx, c))
	}
	return failed
}

// deleteCustomer deletes a customer that we created at Stripe. Of any other it deletes only our row: deleting the
// customer would cancel subscriptions that another product sold.
//
// Source: https://docs.stripe.com/api/customers/delete
func (s *Service) deleteCustomer(ctx context.Context, c closedCustomer) error {
	db := s.DB.WithContext(ctx)
	err := s.checkCustomer(ctx, c.CustomerID, c.UserID, c.CreatedByUs)
	switch {
	case errors.Is(err, errNotOurCustomer):
		return removeCustomer(db, c.CustomerID)
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
	_, err = clearCustomer(db, c.CustomerID, true)
	return err
}

// expireSession expires a Checkout Session, and books how it ended: it may have been paid or have expired before.
func (s *Service) expireSession(ctx context.Context, sessionID string) error {
	params := &stripe.CheckoutSessionExpireParams{}
	params.Context = ctx
	_, _ = s.Stripe.CheckoutSessions.Expire(sessionID, params) // a failure shows in the session's state below
	session, err := s.fetchCheckout(ctx, sessionID)
	switch {
	case errors.Is(err, ErrNotOurs): // Stripe no longer knows it
		return nil
	case err != nil:
		return err
	}
	_, err = s.BookFetched(ctx, session, nil)
	if errors.As(err, new(ReviewError)) { // the event opens the review
		s.Log.ErrorContext(ctx, "Checkout Session of a deleted account needs a person", "session", sessionID, "reason", err)
		return nil
	}
	return err
}
