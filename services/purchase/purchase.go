// Package purchase is one attempt to buy one package of credits: begun here, paid at Stripe, settled in the ledger.
package purchase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// checkoutLife is how long a Checkout Session can be paid. Source: https://docs.stripe.com/api/checkout/sessions/create (expires_at, 24 hours)
const checkoutLife = 24 * time.Hour

// MaxQuantity is how many packages one purchase may hold.
const MaxQuantity = 100

// Service begins purchases and reads them.
type Service struct {
	DB       *gorm.DB
	Stripe   *client.API
	AppURL   string // public origin, without a slash at the end
	Livemode bool   // whether the Stripe key moves real money
	Tax      Tax
	Now      func() time.Time
	Log      *slog.Logger

	installation atomic.Pointer[models.Installation] // read once
}

// Order is what somebody wants to buy. The price and the credits come from our own table, never from the browser.
type Order struct {
	UserID   int64
	PriceID  string
	Quantity int64
	Locale   string
	Key      string // idempotency key of the form or call; the same key is the same purchase
}

// Started is a purchase that waits for payment at URL.
type Started struct {
	PurchaseID uuid.UUID
	URL        string
}

// Start records the purchase, opens a Stripe Checkout Session for it and says where to pay.
//
// Locks: none across the network. Idempotent: by user and key; a crash half way is finished by the next call.
// Errors: fault.Invalid for an unknown or inactive price, a quantity outside 1 to 100 or an unknown locale;
// fault.Invalid when the Checkout of this key is over and was not paid; fault.Conflict when the key began another
// purchase; fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/api/checkout/sessions/create
func (s *Service) Start(ctx context.Context, o Order) (Started, error) {
	if err := o.check(); err != nil {
		return Started{}, err
	}
	p, err := s.record(ctx, o)
	if err != nil {
		return Started{}, err
	}
	if p.Status == models.PurchasePending && p.CheckoutURL != "" && s.Now().Sub(p.CreatedAt) >= checkoutLife {
		if p, err = s.lookBack(ctx, p); err != nil {
			return Started{}, err
		}
	}
	switch {
	case p.Status == models.PurchaseExpired:
		return Started{}, errCheckoutOver
	case p.Status != models.PurchasePending: // the form was sent again after it was paid
		return Started{p.ID, s.AppURL + "/" + p.Locale + "/purchase/" + p.ID.String()}, nil
	case p.CheckoutURL != "":
		return Started{p.ID, p.CheckoutURL}, nil
	}
	session, err := s.openCheckout(ctx, p)
	if err != nil {
		return Started{}, err
	}
	if session.ExpiresAt != 0 && session.ExpiresAt <= s.Now().Unix() { // Stripe's answer to an old key: we died before we wrote it down
		return Started{}, errCheckoutOver
	}
	err = s.DB.WithContext(ctx).Exec(`UPDATE purchases SET checkout_session_id = ?, checkout_url = ?, updated_at = now()
		WHERE id = ? AND (checkout_session_id IS NULL OR checkout_session_id = ?)`, session.ID, session.URL, p.ID, session.ID).Error
	if err != nil {
		return Started{}, fmt.Errorf("keep the Checkout Session of purchase %s: %w", p.ID, err)
	}
	s.Log.InfoContext(ctx, "checkout opened", "user_id", p.UserID, "purchase_id", p.ID, "credits", p.Credits, "cents", p.AmountCents)
	return Started{p.ID, session.URL}, nil
}

// errCheckoutOver says that nobody paid in time. The page offers to order again, with a key of its own.
var errCheckoutOver = fault.Because(fault.Invalid, fault.CheckoutOver)

// lookBack asks Stripe whether a purchase can still be paid, when its session must have expired and the event that says
// so has not come: nobody is sent to an address where nothing can be bought.
//
// Errors: fault.Invalid when it cannot; fault.Unavailable when Stripe does not answer.
func (s *Service) lookBack(ctx context.Context, p models.Purchase) (models.Purchase, error) {
	session, err := s.fetchCheckout(ctx, p.CheckoutSessionID)
	switch {
	case errors.Is(err, errOpen):
		return p, nil
	case errors.Is(err, ErrNotOurs): // Stripe no longer knows it
		return p, errCheckoutOver
	case err != nil:
		return p, err
	}
	if _, err := s.BookFetched(ctx, session, nil); err != nil && !errors.As(err, new(ReviewError)) {
		return p, err
	}
	return s.take(ctx, "id = ?", p.ID)
}

func (o Order) check() error {
	switch {
	case o.Quantity < 1 || o.Quantity > MaxQuantity:
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

// record writes the purchase before Stripe hears of it, so that no payment can be without its row.
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
		err = tx.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, idempotency_key) DO NOTHING`,
			id, o.UserID, price.StripePriceID, o.Quantity, int64(price.CreditsPerUnit)*o.Quantity, int64(price.PriceInCents)*o.Quantity,
			price.Currency, o.Locale, o.Key).Error
		if err != nil {
			return fmt.Errorf("record purchase: %w", err)
		}
		p, err = byKey(tx, o) // ours, or the one that another request with this key wrote a moment earlier
		return err
	})
	return p, err
}

// byKey returns the purchase that this key began, or one with quantity 0.
func byKey(tx models.Tx, o Order) (models.Purchase, error) {
	var p models.Purchase
	err := tx.Where("user_id = ? AND idempotency_key = ?", o.UserID, o.Key).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return models.Purchase{}, nil
	}
	if err != nil {
		return p, fmt.Errorf("look up purchase by key: %w", err)
	}
	if p.StripePriceID != o.PriceID || p.Quantity != o.Quantity {
		return p, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return p, nil
}

// openCheckout creates the session; when Stripe no longer knows the customer it makes a new one, once.
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
		session, err := s.Stripe.CheckoutSessions.New(s.sessionParams(ctx, p, customer, i))
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

func (s *Service) sessionParams(ctx context.Context, p models.Purchase, customer string, i models.Installation) *stripe.CheckoutSessionParams {
	back := s.AppURL + "/" + p.Locale + "/billing"
	metadata := map[string]string{
		"credits":        strconv.FormatInt(int64(p.Credits), 10),
		"purchase_id":    p.ID.String(),
		"userId":         strconv.FormatInt(p.UserID, 10),
		stripeapi.TagKey: i.ID.String(),
	}
	params := &stripe.CheckoutSessionParams{
		Mode:     stripe.String(string(stripe.CheckoutSessionModePayment)),
		Customer: stripe.String(customer),
		// Pinned: a price with other currencies would be charged in the buyer's, which is not what they ordered.
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
		// Session metadata is not copied to the payment, and a refund only knows the payment.
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: metadata},
	}
	params.Context = ctx
	s.Tax.ask(params, p.Locale)
	// One key for each set of parameters: a new customer makes a new request, and so do other settings.
	params.SetIdempotencyKey("checkout:tagged:" + p.ID.String() + ":" + customer + ":" + s.Tax.key(p.Locale))
	return params
}

// refusedPrice reports whether Stripe does not take the line item: its price is unknown there, or no longer active.
func refusedPrice(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Type == stripe.ErrorTypeInvalidRequest && strings.HasPrefix(e.Param, "line_items")
}
