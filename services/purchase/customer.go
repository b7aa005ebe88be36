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

// buyer is a user with what is known of their Stripe Customer.
type buyer struct {
	models.User
	Earlier     int64 // customers that this user had before
	CreatedByUs *bool // nil when it was not written down whether we made the customer
	ToldEmail   string
	ToldName    string
}

// customer returns the user's Stripe Customer, with the user's address and name, and makes one when there is none. Two
// tabs at once get the same one: both send the same idempotency key, and only one of them writes it. A customer that we
// did not make is never used: it has somebody else's address, cards and subscriptions.
//
// Locks: none across the network.
// Source: https://docs.stripe.com/api/idempotent_requests
func (s *Service) customer(ctx context.Context, userID int64) (string, error) {
	var user buyer
	// One statement: between two, another tab could make the customer, and the count would no longer fit the user.
	err := s.DB.WithContext(ctx).Raw(`SELECT u.*, (SELECT count(*) FROM stripe_customers c WHERE c.user_id = u.id) AS earlier,
			known.created_by_us, coalesce(known.email, '') AS told_email, coalesce(known.name, '') AS told_name
		FROM users u LEFT JOIN stripe_customers known ON known.customer_id = u.stripe_customer_id WHERE u.id = ?`, userID).Take(&user).Error
	if err != nil {
		return "", fmt.Errorf("user %d of a purchase: %w", userID, err)
	}
	if user.StripeCustomerID == "" {
		return s.makeCustomer(ctx, user)
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
		return s.customer(ctx, userID) // which finds none
	}
	return "", err
}

// makeCustomer makes a customer of a user who has none.
func (s *Service) makeCustomer(ctx context.Context, user buyer) (string, error) {
	i, err := s.Installation(ctx)
	if err != nil {
		return "", err
	}
	// The parameters behind a key must never change, so the address and the name follow in a call of their own.
	params := &stripe.CustomerParams{Metadata: map[string]string{"userId": strconv.FormatInt(user.ID, 10), stripeapi.TagKey: i.ID.String()}}
	params.Context = ctx
	params.SetIdempotencyKey(fmt.Sprintf("customer:%s:%d:%d:%d", i.ID, user.ID, user.CreatedAt.Unix(), user.Earlier))
	made, err := s.Stripe.Customers.New(params)
	if err != nil {
		return "", stripeapi.Fault(err)
	}
	id, err := s.keepCustomer(ctx, user.ID, made.ID)
	if err != nil || id != made.ID {
		return id, err
	}
	user.StripeCustomerID, user.ToldEmail, user.ToldName = id, "", ""
	if err := s.describeCustomer(ctx, user, true); err != nil && !errors.Is(err, errCustomerGone) { // gone again: opening Checkout says so
		return "", err
	}
	return id, nil
}

// keepCustomer writes the user's customer unless another request was faster, and returns the one that stands.
func (s *Service) keepCustomer(ctx context.Context, userID int64, customer string) (string, error) {
	var stands string
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		err := tx.Exec(`UPDATE users SET stripe_customer_id = ?, updated_at = now() WHERE id = ? AND stripe_customer_id IS NULL AND deleted_at IS NULL`,
			customer, userID).Error
		if err != nil {
			return err
		}
		err = tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, created_by_us) VALUES (?, ?, ?, true) ON CONFLICT (customer_id) DO NOTHING`,
			customer, userID, s.Livemode).Error
		if err != nil {
			return err
		}
		return tx.Raw(`SELECT coalesce(stripe_customer_id, '') FROM users WHERE id = ?`, userID).Scan(&stands).Error
	})
	if err != nil {
		return "", fmt.Errorf("keep the Stripe customer of user %d: %w", userID, err)
	}
	if stands == "" {
		return "", fault.New(fault.NotFound, nil)
	}
	return stands, nil
}

var (
	errNotOurCustomer = errors.New("not a customer that we made")
	errCustomerGone   = errors.New("stripe no longer knows the customer")
)

// checkCustomer makes sure that we made a user's customer. What was not written down is asked of Stripe, once.
//
// We did when it carries our tag. From before there was one, our customers have one metadata key, with the user's
// number, and nothing else.
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
	before := len(found.Metadata) == 1 && found.Metadata["userId"] == strconv.FormatInt(userID, 10)
	if found.Metadata[stripeapi.TagKey] != i.ID.String() && !before {
		return errNotOurCustomer
	}
	err = s.DB.WithContext(ctx).Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, created_by_us) VALUES (?, ?, ?, true)
		ON CONFLICT (customer_id) DO UPDATE SET created_by_us = true`, customer, userID, s.Livemode).Error
	if err != nil {
		return fmt.Errorf("note that we made a customer: %w", err)
	}
	return nil
}

// describeCustomer tells Stripe whom to write receipts to, where that differs from what it was told. The name of a
// customer that is there already is left alone where companies give their tax ids: Checkout writes the company's onto it.
// A purchase does not fail for want of it.
//
// Errors: errCustomerGone; of the database.
func (s *Service) describeCustomer(ctx context.Context, user buyer, named bool) error {
	params := &stripe.CustomerParams{}
	params.Context = ctx
	if user.Email != user.ToldEmail {
		params.Email = stripe.String(address.ASCII(user.Email)) // an empty one takes it off
	}
	if user.Name != user.ToldName && named {
		params.Name = stripe.String(user.Name)
	}
	if params.Email == nil && params.Name == nil {
		return nil
	}
	_, err := s.Stripe.Customers.Update(user.StripeCustomerID, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return errCustomerGone
	case err != nil:
		s.Log.WarnContext(ctx, "Stripe customer not updated", "user_id", user.ID, "err", stripeapi.Redact(err))
		return nil
	}
	err = s.DB.WithContext(ctx).Exec(`UPDATE stripe_customers SET email = ?, name = ? WHERE customer_id = ? AND deleted_at IS NULL`,
		user.Email, user.Name, user.StripeCustomerID).Error
	if err != nil {
		return fmt.Errorf("note what Stripe was told of user %d: %w", user.ID, err)
	}
	return nil
}

// dropCustomer takes a customer off its user that Stripe no longer knows, or that we did not make, unless another
// request has replaced it already.
func (s *Service) dropCustomer(ctx context.Context, userID int64, customer string, cause error) error {
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		err := tx.Exec(`UPDATE users SET stripe_customer_id = NULL, updated_at = now() WHERE id = ? AND stripe_customer_id = ?`,
			userID, customer).Error
		if err != nil {
			return err
		}
		if errors.Is(cause, errNotOurCustomer) {
			return tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, created_by_us) VALUES (?, ?, ?, false)
				ON CONFLICT (customer_id) DO UPDATE SET created_by_us = false, email = '', name = ''`, customer, userID, s.Livemode).Error
		}
		return tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, deleted_at) VALUES (?, ?, ?, now())
			ON CONFLICT (customer_id) DO UPDATE SET deleted_at = coalesce(stripe_customers.deleted_at, now()), email = '', name = ''`,
			customer, userID, s.Livemode).Error
	})
	if err != nil {
		return fmt.Errorf("drop the Stripe customer of user %d: %w", userID, err)
	}
	s.Log.WarnContext(ctx, "making a new Stripe customer", "user_id", userID, "reason", cause)
	return nil
}
