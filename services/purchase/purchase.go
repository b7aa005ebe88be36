// Package purchase is one attempt to buy one package of credits: ordered here, paid at Stripe, settled in the ledger.
//
// A purchase begins with Start. What Stripe reports of it afterwards, by an event or by the API, is a Report: Book
// writes it to the ledger, and WithFacts fetches before that whatever only Stripe knows.
package purchase

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stripe/stripe-go/v79/client"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Service orders, books, refunds and reads purchases.
type Service struct {
	DB       *gorm.DB
	Stripe   *client.API
	AppURL   string // public origin, without a trailing slash
	Livemode bool   // the Stripe key moves real money
	Tax      Tax
	Goodwill Goodwill

	// HoldWithoutConsent holds the credits of new orders until the withdrawal period ends, unless the buyer makes both
	// statements of models.Consent.
	HoldWithoutConsent bool

	Now func() time.Time
	Log *slog.Logger

	// OrderText names what a purchase buys, in the buyer's language. It is shown beside Checkout's button and on the
	// invoice, because Stripe does not translate the product's name. Default: neither has it.
	OrderText func(locale string, credits models.Credits) string

	// CheckoutBudget bounds how long an order waits for Stripe. Default: six seconds.
	CheckoutBudget time.Duration

	installation atomic.Pointer[models.Installation] // read once
}

// Installation returns the installation of the product that this is. It never changes, so it is read once.
func (s *Service) Installation(ctx context.Context) (models.Installation, error) {
	if known := s.installation.Load(); known != nil {
		return *known, nil
	}
	i, err := stripeapi.ReadInstallation(s.DB.WithContext(ctx))
	if err != nil {
		return i, err
	}
	s.installation.Store(&i)
	return i, nil
}
