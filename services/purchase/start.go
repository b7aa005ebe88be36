package purchase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/tracing"
)

// checkoutLife is how long a Checkout Session can be paid: Stripe's default.
//
// Source: https://docs.stripe.com/api/checkout/sessions/create (expires_at)
const checkoutLife = 24 * time.Hour

// checkoutBudget is the default of Service.CheckoutBudget. What is left of the request is for the answer.
const checkoutBudget = 6 * time.Second

// Order is a purchase to begin. The price and the credits come from our table, never from the browser.
type Order struct {
	UserID   int64
	PriceID  string
	Quantity int64
	Locale   string
	Key      string          // idempotency key of the form or call; the same key is the same purchase
	Consent  *models.Consent // nil when the buyer declares nothing

	ReturnURL string // where the buyer goes on after the payment; empty: nowhere. The caller has checked it
}

// Started is a purchase with the address where the buyer goes next: to pay or, once paid, to the purchase.
type Started struct {
	PurchaseID uuid.UUID
	URL        string
}

// Start records the purchase, opens a Stripe Checkout Session for it, and returns where to pay.
//
// Locks: none across the network. Idempotent: by user and key; the next call finishes what a crash interrupted.
// Errors: fault.Invalid for an unknown or inactive price, a quantity outside 1 to catalog.MaxQuantity or an unknown
// locale, and when the Checkout Session of this key has expired; fault.Conflict when the key began another purchase;
// fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/api/checkout/sessions/create
func (s *Service) Start(ctx context.Context, o Order) (Started, error) {
	if err := o.check(); err != nil {
		return Started{}, err
	}
	p, err := s.record(ctx, o)
	if postgres.OutcomeUnknown(err) { // the key shows what became of it
		p, err = s.record(ctx, o)
	}
	if err != nil {
		return Started{}, err
	}
	inTime, cancel := context.WithTimeout(ctx, cmp.Or(s.CheckoutBudget, checkoutBudget))
	defer cancel()
	if p.Status == models.PurchasePending && p.CheckoutURL != "" && s.Now().Sub(p.CreatedAt) >= checkoutLife {
		if p, err = s.refreshOverdue(inTime, p); err != nil {
			return Started{}, err
		}
	}
	switch {
	case p.Status == models.PurchaseExpired:
		return Started{}, errCheckoutOver
	case p.Status != models.PurchasePending: // the form was sent again after the payment
		return Started{p.ID, s.AppURL + "/" + p.Locale + "/purchase/" + p.ID.String()}, nil
	case p.CheckoutURL != "":
		return Started{p.ID, p.CheckoutURL}, nil
	}
	session, err := s.openCheckout(inTime, p)
	if err != nil {
		return Started{}, err
	}
	if session.ExpiresAt != 0 && session.ExpiresAt <= s.Now().Unix() { // an old answer that a crash kept from being stored
		return Started{}, errCheckoutOver
	}
	if err := s.storeCheckout(ctx, p, session); err != nil {
		return Started{}, err
	}
	s.Log.InfoContext(ctx, "checkout opened", "user_id", p.UserID, "purchase_id", p.ID, "credits", p.Credits,
		"cents", p.AmountCents)
	return Started{p.ID, session.URL}, nil
}

// storeCheckout stores where a purchase is paid, and by which methods its price can be. No order waits for a locked
// price: the next one stores the methods.
func (s *Service) storeCheckout(ctx context.Context, p models.Purchase, session *stripe.CheckoutSession) error {
	err := s.DB.WithContext(ctx).Exec(`WITH offered AS (
			UPDATE prices SET payment_methods = @methods
			WHERE @methods <> '{}' AND stripe_price_id = (SELECT stripe_price_id FROM prices
				WHERE stripe_price_id = @price AND payment_methods <> @methods FOR NO KEY UPDATE SKIP LOCKED)
		)
		UPDATE purchases SET checkout_session_id = @session, checkout_url = @url, updated_at = now()
		WHERE id = @id AND (checkout_session_id IS NULL OR checkout_session_id = @session)`,
		map[string]any{"methods": models.TextArray(session.PaymentMethodTypes), "price": p.StripePriceID,
			"session": session.ID, "url": session.URL, "id": p.ID}).Error
	if err != nil {
		return fmt.Errorf("store the Checkout Session of purchase %s: %w", p.ID, err)
	}
	return nil
}

// errCheckoutOver says that the Checkout Session has expired unpaid. The page offers a new order, with a new key.
var errCheckoutOver = fault.Because(fault.Invalid, fault.CheckoutOver)

// refreshOverdue asks Stripe for the session of a pending purchase that should have expired, so that no buyer is sent
// to an expired Checkout when the event is lost.
//
// Errors: fault.Invalid when Stripe does not know the session; fault.Unavailable when Stripe does not answer.
func (s *Service) refreshOverdue(ctx context.Context, p models.Purchase) (models.Purchase, error) {
	session, err := s.fetchCheckout(ctx, p.CheckoutSessionID)
	switch {
	case errors.Is(err, errOpen):
		return p, nil
	case errors.Is(err, ErrNotOurs): // unknown to Stripe
		return p, errCheckoutOver
	case err != nil:
		return p, err
	}
	if _, err := s.BookFetched(ctx, session, nil); err != nil && !errors.As(err, new(ReviewError)) {
		return p, err
	}
	return s.find(ctx, "id = ?", p.ID)
}

func (o Order) check() error {
	switch {
	case o.Quantity < 1 || o.Quantity > catalog.MaxQuantity:
		return fault.Field("quantity", fault.QuantityRange)
	case !models.KnownLocale(o.Locale):
		return fault.Field("locale", fault.LocaleUnknown)
	case o.Key == "":
		return fault.Because(fault.Malformed, fault.KeyMissing)
	case !models.Storable(o.PriceID):
		return fault.Field("price_id", fault.PriceUnknown)
	}
	return ledger.CheckKey(o.Key)
}

// record inserts the purchase before Stripe is asked, so that no payment can lack its row.
func (s *Service) record(ctx context.Context, o Order) (models.Purchase, error) {
	var p models.Purchase
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		found, err := byKey(tx, o)
		if err != nil || found.Quantity != 0 {
			p = found
			return err
		}
		price, err := catalog.ActivePrice(tx, o.PriceID)
		if err != nil {
			return err
		}
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("purchase id: %w", err)
		}
		err = tx.Exec(
			`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key,
				traceparent, return_url, consent, holds_credits)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''), ?, ?) ON CONFLICT (user_id, idempotency_key) DO NOTHING`,
			id, o.UserID, price.StripePriceID, o.Quantity, int64(price.CreditsPerUnit)*o.Quantity,
			int64(price.PriceInCents)*o.Quantity,
			price.Currency, o.Locale, o.Key, tracing.Of(ctx).String(), o.ReturnURL, o.Consent,
			s.HoldWithoutConsent && !o.Consent.Complete()).Error
		if err != nil {
			return fmt.Errorf("record purchase: %w", err)
		}
		p, err = byKey(tx, o) // this one, or that of a concurrent request with the same key
		return err
	})
	return p, err
}

// byKey returns the purchase that the order's key began, or one with quantity 0.
func byKey(tx models.Tx, o Order) (models.Purchase, error) {
	var p models.Purchase
	err := tx.Where("user_id = ? AND idempotency_key = ?", o.UserID, o.Key).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return models.Purchase{}, nil
	}
	if err != nil {
		return p, fmt.Errorf("look up purchase by key: %w", err)
	}
	if p.StripePriceID != o.PriceID || p.Quantity != o.Quantity || p.ReturnURL != o.ReturnURL ||
		!p.Consent.Same(o.Consent) {
		return p, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return p, nil
}

// openCheckout creates the Checkout Session. When Stripe no longer knows the customer, it retries once with a new one.
func (s *Service) openCheckout(ctx context.Context, p models.Purchase) (*stripe.CheckoutSession, error) {
	i, err := s.Installation(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		customer, err := s.customer(ctx, p.UserID)
		if err != nil {
			return nil, err
		}
		session, err := s.newCheckout(ctx, p.ID, s.sessionParams(ctx, p, customer, i))
		if err == nil {
			return session, nil
		}
		switch {
		case stripeapi.MissingParam(err) == "customer" && attempt == 0:
			if err := s.dropCustomer(ctx, p.UserID, customer, errCustomerGone); err != nil {
				return nil, err
			}
		case refusedPrice(err): // archived at Stripe since the last sync
			s.Log.ErrorContext(ctx, "Stripe refuses a price that we sell; run credits prices sync", "purchase_id", p.ID)
			return nil, fault.Field("price_id", fault.PriceUnknown)
		default:
			return nil, stripeapi.Fault(err)
		}
	}
}

func (s *Service) sessionParams(ctx context.Context, p models.Purchase, customer string, i models.Installation,
) *stripe.CheckoutSessionParams {
	back := s.AppURL + "/" + p.Locale + "/billing"
	metadata := map[string]string{
		"credits":         strconv.FormatInt(int64(p.Credits), 10),
		"purchase_id":     p.ID.String(),
		"purchase_number": p.Number.String(),
		"userId":          strconv.FormatInt(p.UserID, 10),
		stripeapi.TagKey:  i.ID.String(),
	}
	params := &stripe.CheckoutSessionParams{
		Mode:     stripe.String(string(stripe.CheckoutSessionModePayment)),
		Customer: stripe.String(customer),
		// Pinned: a price with several currencies would be charged in the buyer's, which is not what they ordered.
		// Source: https://docs.stripe.com/payments/checkout/localize-prices/manual-currency-prices
		Currency:          stripe.String(p.Currency),
		ClientReferenceID: stripe.String(p.ID.String()),
		Locale:            stripe.String(p.Locale),
		SubmitType:        stripe.String("pay"),
		LineItems: []*stripe.CheckoutSessionLineItemParams{
			{Price: stripe.String(p.StripePriceID), Quantity: stripe.Int64(p.Quantity)},
		},
		SuccessURL: stripe.String(back + "?success=true&session_id={CHECKOUT_SESSION_ID}"),
		CancelURL:  stripe.String(back + "?canceled=true"),
		Metadata:   metadata,
		// Stripe does not copy the session's metadata to the payment, and a refund names only the payment.
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata},
	}
	params.Context = ctx
	s.Tax.apply(params, p.Locale)
	text := s.describeOrder(params, p)
	// The key covers every parameter that may change between two attempts: the customer, the tax settings and texts.
	params.SetIdempotencyKey("checkout:numbered:" + p.ID.String() + ":" + customer + ":" + s.Tax.key(p.Locale) + text)
	return params
}

// describeOrder says beside Checkout's button and on the invoice what the purchase buys. It returns what distinguishes
// the text in an idempotency key.
//
// Source: https://docs.stripe.com/payments/checkout/customization/policies#customizing-text
func (s *Service) describeOrder(params *stripe.CheckoutSessionParams, p models.Purchase) string {
	if s.OrderText == nil {
		return ""
	}
	text := s.OrderText(p.Locale, p.Credits)
	params.CustomText = &stripe.CheckoutSessionCustomTextParams{
		Submit: &stripe.CheckoutSessionCustomTextSubmitParams{Message: stripe.String(text)}}
	params.InvoiceCreation.InvoiceData.Description = stripe.String(text)
	return "+" + textKey(text)
}

// refusedPrice reports whether Stripe refused the line item because its price is unknown or inactive.
func refusedPrice(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Type == stripe.ErrorTypeInvalidRequest && strings.HasPrefix(e.Param, "line_items")
}
