package purchase

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// buyer is a user with the state of their Stripe customer.
type buyer struct {
	models.User
	Earlier     int64  // number of customers that the user had before
	CreatedByUs *bool  // nil when unknown
	SentEmail   string // as Stripe has it from us
	SentName    string
}

// customer returns the user's Stripe customer, with the user's address and name, and creates one when there is none.
// Concurrent calls get the same customer: they send the same idempotency key, and only one of them stores it. A
// customer that we did not create is never used, since it has another person's address, cards and subscriptions.
//
// Locks: none across the network.
// Source: https://docs.stripe.com/api/idempotent_requests
func (s *Service) customer(ctx context.Context, userID int64) (string, error) {
	var user buyer
	// One statement: between two, another request could create the customer, and the count would not match the user.
	err := s.DB.WithContext(ctx).
		Raw(`SELECT u.*, (SELECT count(*) FROM stripe_customers c WHERE c.user_id = u.id) AS earlier,
			known.created_by_us, coalesce(known.email, '') AS sent_email, coalesce(known.name, '') AS sent_name
		FROM users u LEFT JOIN stripe_customers known ON known.customer_id = u.stripe_customer_id WHERE u.id = ?`, userID).Take(&user).Error
	if err != nil {
		return "", fmt.Errorf("user %d of a purchase: %w", userID, err)
	}
	if user.StripeCustomerID == "" {
		return s.createCustomer(ctx, user)
	}
	if err = s.checkCustomer(ctx, user.StripeCustomerID, userID, user.CreatedByUs); err == nil {
		err = s.describeCustomer(ctx, user, !s.Tax.IDs)
	}
	switch {
	case err == nil:
		return user.StripeCustomerID, nil
	case errors.Is(err, errNotOurCustomer), errors.Is(err, errCustomerGone):
		if err := s.dropCustomer(ctx, userID, user.StripeCustomerID, err); err != nil {
			return "", err
		}
		return s.customer(ctx, userID) // creates one
	}
	return "", err
}

// createCustomer creates the customer of a user who has none.
func (s *Service) createCustomer(ctx context.Context, user buyer) (string, error) {
	i, err := s.Installation(ctx)
	if err != nil {
		return "", err
	}
	// Requests under one idempotency key must be identical, so the address and the name follow in a request of their own.
	params := &stripe.CustomerParams{
		Metadata: map[string]string{"userId": strconv.FormatInt(user.ID, 10), stripeapi.TagKey: i.ID.String()},
	}
	params.Context = ctx
	params.SetIdempotencyKey(fmt.Sprintf("customer:%s:%d:%d:%d", i.ID, user.ID, user.CreatedAt.Unix(), user.Earlier))
	made, err := s.newCustomer(params)
	if err != nil {
		return "", stripeapi.Fault(err)
	}
	id, err := s.storeCustomer(ctx, user.ID, made.ID)
	if err != nil || id != made.ID {
		return id, err
	}
	user.StripeCustomerID, user.SentEmail, user.SentName = id, "", ""
	return id, s.describeCustomer(ctx, user, true)
}

// storeCustomer stores the user's customer unless another request has stored one, and returns the stored one.
func (s *Service) storeCustomer(ctx context.Context, userID int64, customer string) (string, error) {
	var stored string
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		err := tx.Exec(
			`UPDATE users SET stripe_customer_id = ?, updated_at = now() WHERE id = ? AND stripe_customer_id IS NULL AND deleted_at IS NULL`,
			customer, userID).Error
		if err != nil {
			return err
		}
		if err := s.recordCustomer(tx.DB, customer, userID, new(true)); err != nil {
			return err
		}
		return tx.Raw(`SELECT coalesce(stripe_customer_id, '') FROM users WHERE id = ?`, userID).Scan(&stored).Error
	})
	if err != nil {
		return "", fmt.Errorf("store the Stripe customer of user %d: %w", userID, err)
	}
	if stored == "" {
		return "", fault.New(fault.NotFound, nil)
	}
	return stored, nil
}

var (
	errNotOurCustomer = errors.New("the customer was not created by us")
	errCustomerGone   = errors.New("stripe no longer knows the customer")
)

// checkCustomer verifies that we created a customer. Where our row does not say, it asks Stripe once: a customer of
// ours has our tag or, when it is older than tags, the user's id as its only metadata.
//
// Errors: errNotOurCustomer; errCustomerGone; fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/api/customers/retrieve
func (s *Service) checkCustomer(ctx context.Context, customer string, userID int64, known *bool) error {
	switch {
	case known != nil && *known:
		return nil
	case known != nil:
		return errNotOurCustomer
	}
	params := &stripe.CustomerParams{}
	params.Context = ctx
	found, err := s.Stripe.Customers.Get(customer, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "", err == nil && found.Deleted:
		return errCustomerGone
	case err != nil:
		return stripeapi.Fault(err)
	}
	i, err := s.Installation(ctx)
	if err != nil {
		return err
	}
	untagged := len(found.Metadata) == 1 && found.Metadata["userId"] == strconv.FormatInt(userID, 10)
	if found.Metadata[stripeapi.TagKey] != i.ID.String() && !untagged {
		return errNotOurCustomer
	}
	return s.recordCustomer(s.DB.WithContext(ctx), customer, userID, new(true))
}

// describeCustomer sends the user's address, and their name if withName, to Stripe where they have changed: Stripe
// writes receipts to them. An existing customer keeps its name where companies give tax ids, because Checkout stores
// the company's name in it. A failure at Stripe is logged and does not stop the purchase: if the customer is gone,
// opening Checkout fails and says so.
//
// Errors: of the database.
func (s *Service) describeCustomer(ctx context.Context, user buyer, withName bool) error {
	params := &stripe.CustomerParams{}
	params.Context = ctx
	if user.Email != user.SentEmail {
		params.Email = stripe.String(address.ASCII(user.Email)) // an empty one removes it
	}
	if user.Name != user.SentName && withName {
		params.Name = stripe.String(user.Name)
	}
	if params.Email == nil && params.Name == nil {
		return nil
	}
	if _, err := s.Stripe.Customers.Update(user.StripeCustomerID, params); err != nil {
		s.Log.WarnContext(ctx, "update of a Stripe customer failed", "user_id", user.ID, "err", stripeapi.Redact(err))
		return nil
	}
	err := s.DB.WithContext(ctx).
		Exec(`UPDATE stripe_customers SET email = ?, name = ? WHERE customer_id = ? AND deleted_at IS NULL`,
			user.Email, user.Name, user.StripeCustomerID).Error
	if err != nil {
		return fmt.Errorf("store what Stripe knows of user %d: %w", user.ID, err)
	}
	return nil
}

// dropCustomer unlinks a customer from its user because Stripe no longer knows it or we did not create it, unless
// another request has replaced it already.
func (s *Service) dropCustomer(ctx context.Context, userID int64, customer string, cause error) error {
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		gone := errors.Is(cause, errCustomerGone)
		var createdByUs *bool
		if !gone {
			createdByUs = new(false)
		}
		unlinked, err := unlinkCustomer(tx, customer)
		if err != nil || !unlinked {
			return err
		}
		if err := s.recordCustomer(tx.DB, customer, userID, createdByUs); err != nil {
			return err
		}
		_, err = clearCustomer(tx.DB, customer, gone)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the Stripe customer of user %d: %w", userID, err)
	}
	s.Log.WarnContext(ctx, "replacing the Stripe customer", "user_id", userID, "reason", cause)
	return nil
}

// ForgetCustomer records that a customer was deleted at Stripe. The balance stays, and the next purchase creates a new
// customer.
//
// Errors: ErrNotOurs.
func ForgetCustomer(tx models.Tx, customerID string) error {
	known, err := clearCustomer(tx.DB, customerID, true)
	switch {
	case err != nil:
		return err
	case !known:
		return ErrNotOurs
	}
	if _, err := unlinkCustomer(tx, customerID); err != nil {
		return err
	}
	owner, err := customerOwner(tx, customerID)
	if err != nil {
		return err
	}
	return eraseAgain(tx, owner)
}
