package purchase

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// maxKeys bounds the idempotency keys of one request: Stripe keeps a failure under each for a day.
const maxKeys = 5

// withKeys calls create with key. Whenever Stripe repeats a failure that it keeps for the key, it asks find for an
// object that was made all the same, and else goes on to the next key: key:2, key:3. A later call with the same key
// takes the same way, and so gets the same object.
// Source: https://docs.stripe.com/api/idempotent_requests
func withKeys[T any](key string, create func(key string) (*T, error), find func() (*T, error)) (*T, error) {
	numbered := key
	for n := 2; ; n++ {
		made, err := create(numbered)
		if !repeatedFailure(err) || n > maxKeys {
			return made, err
		}
		if found, err := find(); err != nil || found != nil {
			return found, err
		}
		numbered = fmt.Sprintf("%s:%d", key, n)
	}
}

// repeatedFailure reports whether an error is one that Stripe has stored for the idempotency key, not one of this
// attempt.
func repeatedFailure(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.HTTPStatusCode >= 500 && e.LastResponse != nil &&
		e.LastResponse.Header.Get("Idempotent-Replayed") == "true"
}

// newCheckout creates a purchase's Checkout Session.
func (s *Service) newCheckout(ctx context.Context, id uuid.UUID, params *stripe.CheckoutSessionParams,
) (*stripe.CheckoutSession, error) {
	create := func(key string) (*stripe.CheckoutSession, error) {
		params.SetIdempotencyKey(key)
		return s.Stripe.CheckoutSessions.New(params)
	}
	return withKeys(*params.IdempotencyKey, create, func() (*stripe.CheckoutSession, error) {
		return s.findOpenCheckout(ctx, *params.Customer, id)
	})
}

// findOpenCheckout returns the customer's open session of a purchase, or nil.
// Source: https://docs.stripe.com/api/checkout/sessions/list
func (s *Service) findOpenCheckout(ctx context.Context, customer string, id uuid.UUID) (*stripe.CheckoutSession,
	error) {
	params := &stripe.CheckoutSessionListParams{Customer: stripe.String(customer),
		Status: stripe.String(string(stripe.CheckoutSessionStatusOpen))}
	params.Context = ctx
	params.Limit = stripe.Int64(stripeapi.PageSize)
	sessions := s.Stripe.CheckoutSessions.List(params)
	for sessions.Next() {
		if found := sessions.CheckoutSession(); found.Metadata["purchase_id"] == id.String() {
			return found, nil
		}
	}
	return nil, sessions.Err()
}

// newCustomer creates a customer. It has no personal data yet, so one that was made despite a failure may stay.
func (s *Service) newCustomer(params *stripe.CustomerParams) (*stripe.Customer, error) {
	create := func(key string) (*stripe.Customer, error) {
		params.SetIdempotencyKey(key)
		return s.Stripe.Customers.New(params)
	}
	return withKeys(*params.IdempotencyKey, create, func() (*stripe.Customer, error) { return nil, nil })
}
