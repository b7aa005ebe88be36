package pages

import (
	"context"
	"fmt"
	"strings"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// The values of the field "refund": what becomes of unused credits when the account is deleted.
const (
	DeletionRefunds  = "yes"
	DeletionForfeits = "no"
)

// DeletionRefund is a purchase that can be refunded before the account is deleted.
type DeletionRefund struct {
	Purchase models.Purchase
	Withdraw bool // by withdrawing from the contract
	Offer    models.RefundOffer
}

// refundText says what the user gets back for a purchase, and on what ground.
func (r DeletionRefund) refundText(ctx context.Context) string {
	key := "account.delete.refund.goodwill"
	if r.Withdraw {
		key = "account.delete.refund.withdraw"
	}
	args := offerArgs(ctx, r.Purchase, r.Offer)
	args["bought"], args["date"] = components.CreditAmount(ctx, r.Purchase.Credits), components.Day(ctx, r.Purchase.CreatedAt)
	return locales.T(ctx, key, args)
}

// offers writes the offers of the page for ParseDeletionOffers.
func (d AccountDeletionData) offers() string {
	var all []string
	for _, r := range d.Refunds {
		all = append(all, fmt.Sprintf("%d/%d", r.Offer.Credits, r.Offer.Cents))
	}
	return strings.Join(all, " ")
}

// ParseDeletionOffers reads the offers that the deletion page showed. It returns an empty offer for one that it cannot
// read.
func ParseDeletionOffers(text string) []models.RefundOffer {
	var all []models.RefundOffer
	for part := range strings.FieldsSeq(text) {
		var o models.RefundOffer
		if n, err := fmt.Sscanf(part, "%d/%d", &o.Credits, &o.Cents); n != 2 || err != nil {
			o = models.RefundOffer{}
		}
		all = append(all, o)
	}
	return all
}

// lapsing returns how many credits are lost with the account even if the user is refunded.
func (d AccountDeletionData) lapsing() models.Credits {
	left := d.Balance
	for _, r := range d.Refunds {
		left -= r.Offer.Credits
	}
	return left
}

// general returns the error that belongs to no field.
func (d AccountDeletionData) general() string { return d.Errors[""] }

func (d AccountDeletionData) errorAttributes(field string) templ.Attributes {
	if d.Errors[field] == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": field + "-error"}
}

// groupAttributes describe the choice of a refund by its error.
func (d AccountDeletionData) groupAttributes() templ.Attributes {
	if d.Errors["refund"] == "" {
		return nil
	}
	return templ.Attributes{"aria-describedby": "refund-error"}
}
