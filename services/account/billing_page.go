package account

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

const (
	latestEntries = 5  // on the billing page
	usageDays     = 30 // in its chart
)

// BillingQuery selects what the billing page shows.
type BillingQuery struct {
	User      models.User // signed in
	Now       time.Time   // in the user's time zone
	Canceled  bool        // the user returns from Checkout without paying
	SessionID string      // the Checkout Session that the user returns from after paying; empty otherwise
	Poll      int         // number of this poll while the payment is processed; 0 at first
}

// BillingPage is everything that the billing page shows.
type BillingPage struct {
	User   models.User    // as it is once the return is booked
	Return *models.Return // nil unless the user returns from Checkout
	ledger.Overview
	Features []models.FeaturePrice
	Held     []models.PeriodHold // credits of purchases that cannot be used yet
	Cover    *models.Cover       // settles a debt or starts an account; nil otherwise, or when nothing is on sale
}

// BillingPage reads the billing page of a user. It first books the payment that they return from.
func (s *Service) BillingPage(ctx context.Context, q BillingQuery) (BillingPage, error) {
	p, id := BillingPage{User: q.User}, q.User.ID
	for _, read := range []func() error{
		func() error { return s.readReturn(ctx, q, &p) },
		func() (err error) {
			p.Overview, err = s.Ledger.Overview(ctx, id, latestEntries, q.Now, usageDays)
			return
		},
		func() (err error) { p.Features, err = s.Spend.Features(ctx); return },
		func() (err error) {
			if p.User.CreditsHeld > 0 {
				p.Held, err = s.Purchase.Held(ctx, id)
			}
			return
		},
		func() (err error) {
			if p.User.CreditsBalance <= 0 {
				p.Cover, err = s.Catalog.Cover(ctx, -p.User.CreditsBalance)
			}
			return
		},
	} {
		if err := read(); err != nil {
			return BillingPage{}, err
		}
	}
	return p, nil
}

// readReturn adds the state of the purchase that the user returns from, and reads the user again when it is booked.
func (s *Service) readReturn(ctx context.Context, q BillingQuery, p *BillingPage) (err error) {
	switch {
	case q.Canceled:
		p.Return, err = s.Purchase.Canceled(ctx, q.User.ID)
	case q.SessionID != "":
		p.Return, err = s.Purchase.Returned(ctx, q.User.ID, q.SessionID, q.Poll)
	}
	if err == nil && p.Return != nil && p.Return.Kind == models.ReturnBooked {
		err = s.DB.WithContext(ctx).Where("id = ?", q.User.ID).Take(&p.User).Error
	}
	if err != nil {
		return fmt.Errorf("billing page of user %d: %w", q.User.ID, err)
	}
	return nil
}
