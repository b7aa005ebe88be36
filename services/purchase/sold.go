package purchase

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Sold is what a Checkout Session sold, as Stripe lists it.
type Sold struct {
	Known   bool           // whether Stripe has such a session
	Units   int64          // of our prices: their line items' quantity
	Credits models.Credits // what these come to
	Others  bool           // there is something else among the line items, or a price of ours that says no credits
}

// worth is how many credits a session is worth that was not begun here. It is what its line items come to by our
// prices. metadata.credits is the customer's word for it, and must agree: for one unit, or for all. Where there is one
// unit, it may also name another number, and where Stripe does not show the line items, it alone counts: but never more
// than our packages give for the money.
//
// Units: credits. Errors: ErrForeign; ReviewError, beside the credits that a person may book, or 0.
func (sold Sold) worth(tx models.Tx, c Checkout) (models.Credits, error) {
	said, says := catalog.ParseCredits(c.Credits)
	named := uuid.Validate(c.PurchaseID) == nil // a purchase, which is not there
	switch {
	case sold.Known && sold.Units == 0, !sold.Known && !says && !named:
		return 0, ErrForeign
	case named:
		return 0, ReviewError(models.CauseSessionUnknown)
	case sold.Credits > MaxQuantity*catalog.MaxCredits:
		return 0, ReviewError(models.CauseSessionCredits)
	case sold.Others:
		return sold.Credits, ReviewError(models.CauseSessionMixed)
	case sold.Known && (!says || said == sold.Credits || said*models.Credits(sold.Units) == sold.Credits):
		return sold.Credits, nil
	case !says || sold.Units > 1:
		return sold.Credits, ReviewError(models.CauseSessionCredits)
	}
	var fair bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM prices WHERE active AND currency = ?
		AND credits_per_unit::numeric * ? >= price_in_cents::numeric * ?)`, c.Currency, c.Subtotal, said).Row().Scan(&fair)
	switch {
	case err != nil:
		return 0, fmt.Errorf("compare session %s with our packages: %w", c.ID, err)
	case !fair:
		return sold.Credits, ReviewError(models.CauseSessionCredits)
	}
	return said, nil
}

// fetchSold asks Stripe what a session sold, and remembers one that sold nothing of ours. A price of our product that
// we do not have yet is fetched first: its own event may come later.
//
// Errors: fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/api/checkout/sessions/line_items
func (s *Service) fetchSold(ctx context.Context, sessionID string) (Sold, error) {
	params := &stripe.CheckoutSessionListLineItemsParams{Session: stripe.String(sessionID)}
	params.Context = ctx
	params.Limit = stripe.Int64(stripeapi.PageSize)
	var items []*stripe.LineItem
	list := s.Stripe.CheckoutSessions.ListLineItems(params)
	for list.Next() {
		items = append(items, list.LineItem())
	}
	switch err := list.Err(); {
	case err != nil && stripeapi.MissingParam(err) != "":
		return Sold{}, nil
	case err != nil:
		return Sold{}, stripeapi.Fault(err)
	}
	sold, missing, err := s.valueOf(ctx, items)
	if err == nil && missing {
		prices := &catalog.Service{DB: s.DB, Stripe: s.Stripe, Log: s.Log}
		if _, err = prices.Pull(ctx); err == nil {
			sold, _, err = s.valueOf(ctx, items)
		}
	}
	if err == nil && sold.Units == 0 {
		err = s.rememberForeign(ctx, foreignSession, sessionID)
	}
	return sold, err
}

// valueOf adds up line items by our prices, also those no longer on sale. missing says that a price of our product is
// not among them.
func (s *Service) valueOf(ctx context.Context, items []*stripe.LineItem) (sold Sold, missing bool, err error) {
	i, err := s.Installation(ctx)
	if err != nil {
		return sold, false, err
	}
	sold.Known = true
	for _, item := range items {
		if item.Price == nil || stripeapi.Foreign(item.Price.Metadata, i) {
			sold.Others = true
			continue
		}
		var credits models.Credits // of one unit; 0 when it is no price of ours
		err := s.DB.WithContext(ctx).Raw(`SELECT credits_per_unit FROM prices WHERE stripe_price_id = ?`, item.Price.ID).Scan(&credits).Error
		if err != nil {
			return sold, false, fmt.Errorf("price of a line item: %w", err)
		}
		own := item.Price.Product != nil && item.Price.Product.ID == catalog.ProductID
		if credits > 0 || own {
			sold.Units += item.Quantity
		}
		sold.Credits += credits * models.Credits(item.Quantity)
		sold.Others = sold.Others || credits == 0
		missing = missing || credits == 0 && own
	}
	return sold, missing, nil
}

// fetchPayment asks Stripe which product a payment paid for, and remembers one of another product.
//
// Errors: fault.Unavailable when Stripe does not answer. Source: https://docs.stripe.com/api/payment_intents/retrieve
func (s *Service) fetchPayment(ctx context.Context, paymentRef string) error {
	params := &stripe.PaymentIntentParams{}
	params.Context = ctx
	var metadata map[string]string
	payment, err := s.Stripe.PaymentIntents.Get(paymentRef, params)
	switch {
	case err == nil:
		metadata = payment.Metadata
	case stripeapi.MissingParam(err) == "":
		return stripeapi.Fault(err)
	}
	ours, err := s.wrote(ctx, metadata)
	if err != nil || ours {
		return err
	}
	return s.rememberForeign(ctx, foreignPayment, paymentRef)
}
