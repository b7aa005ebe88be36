package admin

import (
	"context"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// PurchasePage is everything that the admin page of one purchase shows.
type PurchasePage struct {
	purchase.Detail
	User    models.User                // whose purchase it is
	Events  []models.StripeEvent       // about its session and payment, oldest first
	Entries []models.CreditTransaction // of every user who has had it, oldest first

	People      People              // whom Entries and Requests name
	Withdrawal  *models.Withdrawal  // the declaration about it; nil without one
	Entitlement *models.Entitlement // of an open one
}

// PurchasePage reads the admin page of one purchase.
// Errors: fault.NotFound.
func (s *Service) PurchasePage(ctx context.Context, id string) (PurchasePage, error) {
	var p PurchasePage
	for _, read := range []func() error{
		func() (err error) { p.Detail, err = s.Purchase.Detail(ctx, id); return },
		func() (err error) { p.User, err = s.User(ctx, p.UserID); return },
		func() (err error) {
			p.Events, err = s.Webhook.OfPurchase(ctx, p.CheckoutSessionID, p.PaymentIntentID)
			return
		},
		func() (err error) {
			withdrawals := withdrawal.Service{DB: s.DB, Purchases: s.Purchase}
			p.Withdrawal, err = withdrawals.OfPurchase(ctx, p.ID)
			return
		},
		func() (err error) { p.Entries, err = (&ledger.Service{DB: s.DB}).OfPurchase(ctx, id, 0); return },
		func() (err error) { p.People, err = s.namedIn(ctx, p); return },
	} {
		if err := read(); err != nil {
			return PurchasePage{}, err
		}
	}
	if p.Withdrawal != nil && p.Withdrawal.HandledAt == nil {
		e := withdrawal.Entitle(*p.Withdrawal, p.Detail)
		p.Entitlement = &e
	}
	return p, nil
}
