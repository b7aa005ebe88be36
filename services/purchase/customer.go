package purchase

import (
	"context"
	"fmt"
	"strconv"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// customer returns the user's Stripe Customer and makes one when there is none. Two tabs at once get the same one:
// both send the same idempotency key, and only one of them writes it.
//
// Locks: none across the network.
// Source: https://docs.stripe.com/api/idempotent_requests
func (s *Service) customer(ctx context.Context, userID int64) (string, error) {
	db := s.DB.WithContext(ctx)
	var user struct {
		models.User
		Earlier int64 // customers that this user had before
	}
	// One statement: between two, another tab could make the customer, and the count would no longer fit the user.
	err := db.Raw(`SELECT u.*, (SELECT count(*) FROM stripe_customers c WHERE c.user_id = u.id) AS earlier FROM users u WHERE u.id = ?`, userID).
		Take(&user).Error
	if err != nil {
		return "", fmt.Errorf("user %d of a purchase: %w", userID, err)
	}
	if user.StripeCustomerID != "" {
		return user.StripeCustomerID, nil
	}
	// The parameters behind a key must never change, so the address and the name follow in a call of their own.
	params := &stripe.CustomerParams{Metadata: map[string]string{"userId": strconv.FormatInt(userID, 10)}}
	params.Context = ctx
	params.SetIdempotencyKey(fmt.Sprintf("customer:%d:%d:%d", userID, user.CreatedAt.Unix(), user.Earlier))
	made, err := s.Stripe.Customers.New(params)
	if err != nil {
		return "", stripeFault(err)
	}
	id, err := s.keepCustomer(ctx, userID, made.ID)
	if err == nil && id == made.ID {
		s.nameCustomer(ctx, id, user.User)
	}
	return id, err
}

// keepCustomer writes the user's customer unless another request was faster, and returns the one that stands.
func (s *Service) keepCustomer(ctx context.Context, userID int64, customer string) (string, error) {
	var stands string
	err := models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		err := tx.Exec(`UPDATE users SET stripe_customer_id = ?, updated_at = now() WHERE id = ? AND stripe_customer_id IS NULL AND deleted_at IS NULL`,
			customer, userID).Error
		if err != nil {
			return err
		}
		err = tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES (?, ?, ?) ON CONFLICT (customer_id) DO NOTHING`,
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

// nameCustomer tells Stripe whom to write receipts to. A purchase does not fail for want of it.
func (s *Service) nameCustomer(ctx context.Context, id string, user models.User) {
	if user.Email == "" && user.Name == "" {
		return
	}
	params := &stripe.CustomerParams{}
	params.Context = ctx
	if user.Email != "" {
		params.Email = stripe.String(user.Email)
	}
	if user.Name != "" {
		params.Name = stripe.String(user.Name)
	}
	if _, err := s.Stripe.Customers.Update(id, params); err != nil {
		s.Log.WarnContext(ctx, "Stripe customer has no address yet", "user_id", user.ID, "err", redactStripe(err))
	}
}

// forgetCustomer clears a customer that Stripe no longer knows, unless another request has replaced it already.
func (s *Service) forgetCustomer(ctx context.Context, userID int64, customer string) error {
	err := models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		err := tx.Exec(`UPDATE users SET stripe_customer_id = NULL, updated_at = now() WHERE id = ? AND stripe_customer_id = ?`,
			userID, customer).Error
		if err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, deleted_at) VALUES (?, ?, ?, now())
			ON CONFLICT (customer_id) DO UPDATE SET deleted_at = coalesce(stripe_customers.deleted_at, now())`,
			customer, userID, s.Livemode).Error
	})
	if err != nil {
		return fmt.Errorf("forget the Stripe customer of user %d: %w", userID, err)
	}
	s.Log.WarnContext(ctx, "Stripe no longer knows a customer, making a new one", "user_id", userID)
	return nil
}
