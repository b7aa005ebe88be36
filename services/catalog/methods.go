package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// methodsBudget is how long Stripe may take to list the methods of payment.
const methodsBudget = 5 * time.Second

// foreignMethods cannot pay a price in Currency.
//
// Source: https://docs.stripe.com/payments/payment-methods/payment-method-support#supported-presentment-currencies
var foreignMethods = []string{"bacs_debit", "us_bank_account", "cashapp", "blik", "twint", "affirm",
	"afterpay_clearpay"}

// pullMethods stores by which methods the prices can be paid that no order has been placed for, so that the first
// order form names them too. From the first order on, its Checkout Session says so: Stripe also goes by the amount.
// When Stripe lists none, the form says that Stripe shows them.
//
// Locks: none across the network; it skips locked prices.
func (s *Service) pullMethods(ctx context.Context) error {
	inTime, cancel := context.WithTimeout(ctx, methodsBudget)
	defer cancel()
	methods, err := s.ConfiguredMethods(inTime)
	if err != nil {
		s.Log.WarnContext(ctx, "methods of payment not read; run credits doctor", "err", err)
		return nil
	}
	err = s.DB.WithContext(ctx).Exec(`UPDATE prices SET payment_methods = @methods WHERE stripe_price_id IN (
			SELECT stripe_price_id FROM prices p
			WHERE currency = @currency AND payment_methods <> @methods AND NOT EXISTS (SELECT FROM purchases
				WHERE stripe_price_id = p.stripe_price_id AND checkout_session_id IS NOT NULL)
			FOR NO KEY UPDATE SKIP LOCKED)`,
		map[string]any{"methods": models.TextArray(methods), "currency": Currency}).Error
	if err != nil {
		return fmt.Errorf("store the methods of payment: %w", err)
	}
	s.Shown.Forget()
	return nil
}

// ConfiguredMethods returns the methods of payment that the Stripe account offers for prices in Currency, as far as
// they have a text.
//
// Errors: as stripeapi.Fault; a restricted key needs read access to Payment Method Configurations.
// Source: https://docs.stripe.com/api/payment_method_configurations/list
func (s *Service) ConfiguredMethods(ctx context.Context) ([]string, error) {
	params := &stripe.PaymentMethodConfigurationListParams{}
	params.Context, params.Limit, params.Single = ctx, stripe.Int64(stripeapi.PageSize), true
	list := s.Stripe.PaymentMethodConfigurations.List(params)
	if err := list.Err(); err != nil {
		return nil, stripeapi.Fault(err)
	}
	var answer struct {
		Data []map[string]json.RawMessage `json:"data"` // each has a member for each method
	}
	if err := json.Unmarshal(list.PaymentMethodConfigurationList().LastResponse.RawJSON, &answer); err != nil {
		return nil, stripeapi.Fault(err)
	}
	var methods []string
	for i, configuration := range list.PaymentMethodConfigurationList().Data {
		if configuration.IsDefault && configuration.Active && configuration.Application == "" { // else of a connected account
			methods = append(methods, offered(answer.Data[i])...)
		}
	}
	return methods, nil
}

// offered returns the methods that a configuration offers.
func offered(configuration map[string]json.RawMessage) []string {
	return slices.DeleteFunc(models.PaymentMethods(), func(name string) bool {
		var method struct {
			Available         bool `json:"available"`
			DisplayPreference struct {
				Value string `json:"value"`
			} `json:"display_preference"`
		}
		err := json.Unmarshal(configuration[name], &method)
		return err != nil || !method.Available || method.DisplayPreference.Value != "on" ||
			slices.Contains(foreignMethods, name)
	})
}
