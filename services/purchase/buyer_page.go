package purchase

import (
	"context"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// BuyerPage is what the buyer sees of one purchase.
type BuyerPage struct {
	Detail
	Entries []models.CreditTransaction // oldest first
	PayURL  string                     // where it can still be paid; empty when it cannot
	Receipt bool                       // Stripe has an invoice or a receipt
	Offer   models.RefundOffer         // for the unused credits
}

// BuyerPage reads one purchase of one user.
// Errors: fault.NotFound for an unknown id and for another user's alike.
func (s *Service) BuyerPage(ctx context.Context, userID int64, id string) (page BuyerPage, err error) {
	if _, err = s.Purchase(ctx, userID, id); err != nil {
		return page, err
	}
	if page.Detail, err = s.Detail(ctx, id); err != nil {
		return page, err
	}
	page.Entries, err = (&ledger.Service{DB: s.DB}).OfPurchase(ctx, id, userID)
	if err != nil {
		return page, err
	}
	page.Offer, err = s.Offer(ctx, page.Detail)
	page.PayURL, page.Receipt = s.PayURL(page.Purchase), HasReceipt(page.Purchase)
	return page, err
}
