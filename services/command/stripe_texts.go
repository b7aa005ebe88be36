package command

import (
	"context"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
)

// Catalog returns the packages that buyers buy there.
func (p *Program) Catalog(there *purchase.Service) *catalog.Service {
	return &catalog.Service{DB: there.DB, Stripe: there.Stripe, Log: p.Log, Description: p.packageText}
}

// packageText describes a package to Stripe, which has one description for buyers of every language.
func (p *Program) packageText(analyses int64) string {
	var all []string
	for _, code := range p.Texts.Codes() {
		ctx, _ := p.Texts.Context(context.Background(), code)
		all = append(all, locales.N(ctx, "checkout.analyses", analyses))
	}
	return strings.Join(all, " · ")
}

// orderText names an order in the buyer's language.
func (p *Program) orderText(locale string, credits models.Credits) string {
	ctx, _ := p.Texts.Context(context.Background(), locale)
	return locales.T(ctx, "checkout.order", locales.Args{"credits": locales.N(ctx, "credits.amount", credits)})
}
