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

// Sold is what a Checkout Session sold, from Stripe's list of its line items.
type Sold struct {
	Known   bool           // Stripe knows the session
	Units   int64          // quantity of our prices
	Credits models.Credits // of these units
	Others  bool           // the session also sold a price that gives no credits of ours
}

// worth returns how many credits a session gives that was not begun here: what its line items come to by our prices.
// The seller may state the credits in metadata.credits, which must then agree, for one unit or for all. For a single
// unit it may name another number, and without line items it alone counts; but it never gives more than our packages do
// for the money.
//
// Errors: ErrForeign; ReviewError, beside the credits that a person may book, or 0.
func (sold Sold) worth(tx models.Tx, c Checkout) (models.Credits, error) {
	stated, isStated := catalog.ParseCredits(c.Credits)
	namesPurchase := uuid.Validate(c.PurchaseID) == nil // one that does not exist
	switch {
	case sold.Known && sold.Units == 0, !sold.Known && !isStated && !namesPurchase:
		return 0, ErrForeign
	case namesPurchase:
		return 0, ReviewError(models.CauseSessionUnknown)
	case sold.Credits > catalog.MaxQuantity*catalog.MaxCredits:
		return 0, ReviewError(models.CauseSessionCredits)
	case sold.Others:
		return sold.Credits, ReviewError(models.CauseSessionMixed)
	case sold.Known && (!isStated || stated == sold.Credits || stated*models.Credits(sold.Units) == sold.Credits):
		return sold.Credits, nil
	case !isStated || sold.Units > 1:
		return sold.Credits, ReviewError(models.CauseSessionCredits)
	}
	var fair bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM prices WHERE active AND currency = ?
		AND credits_per_unit::numeric * ? >= price_in_cents::numeric * ?)`, c.Currency, c.Subtotal, stated).Row().Scan(&fair)
	switch {
	case err != nil:
		return 0, fmt.Errorf("compare session %s with our packages: %w", c.ID, err)
	case !fair:
		return sold.Credits, ReviewError(models.CauseSessionCredits)
	}
	return stated, nil
}

// fetchSold asks Stripe what a session sold, and remembers a session that sold nothing of ours. It pulls the prices
// first when the session sold one of our product that we do not have yet: the price's own event may come later.
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

// valueOf adds up line items by our prices, also by those no longer on sale. missing reports a price of our products
// that we do not have.
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
		var credits models.Credits // of one unit; 0 for a price that is not ours
		err := s.DB.WithContext(ctx).Raw(`SELECT credits_per_unit FROM prices WHERE stripe_price_id = ?`, item.Price.ID).
			Scan(&credits).Error
		if err != nil {
			return sold, false, fmt.Errorf("price of a line item: %w", err)
		}
		own := item.Price.Product != nil && catalog.Own(item.Price.Product.ID)
		if credits > 0 || own {
			sold.Units += item.Quantity
		}
		sold.Credits += credits * models.Credits(item.Quantity)
		sold.Others = sold.Others || credits == 0
		missing = missing || credits == 0 && own
	}
	return sold, missing, nil
}
