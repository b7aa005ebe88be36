package pages

import (
	"context"
	"strconv"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// possible says how often the balance allows a feature.
func possible(ctx context.Context, times int64) string {
	return locales.N(ctx, "billing.features.times", times)
}

// buys says how many resume analyses a package is enough for.
func buys(ctx context.Context, analyses int64) string {
	return locales.N(ctx, "purchase.package.analyses", analyses)
}

// bonus says how a package's credits come together: 1,000 and 200 on top.
func bonus(ctx context.Context, p Package) string {
	return locales.N(ctx, "purchase.package.bonus", p.Bonus, locales.Args{"paid": components.Credits(ctx, p.Price.CreditsPerUnit-p.Bonus)})
}

// debtOffer says what settles a balance below zero and what is left of it then.
func debtOffer(ctx context.Context, d BillingData) string {
	if d.Cover == nil || d.Cover.Offer == nil || d.Cover.credits() < d.Cover.Missing {
		return locales.T(ctx, "billing.debt.next")
	}
	left := d.Cover.credits() - d.Cover.Missing
	return locales.N(ctx, "billing.debt.offer", left, locales.Args{"credits": components.CreditAmount(ctx, d.Cover.credits()), "price": d.Cover.price(ctx)})
}

// firstOffer says to somebody who never had credits what they begin with; empty to everybody else.
func firstOffer(ctx context.Context, d BillingData) string {
	if len(d.Latest) > 0 || d.User.CreditsBalance != 0 || d.Cover == nil || d.Cover.Offer == nil {
		return ""
	}
	return locales.T(ctx, "billing.first", locales.Args{"credits": components.CreditAmount(ctx, d.Cover.credits()), "price": d.Cover.price(ctx)})
}

// standing is how a purchase stands in a word: its status, or what went back of it.
func standing(p models.Purchase) string {
	switch back := p.CreditsRefunded + p.CreditsDisputed; {
	case back == 0:
		return "purchase.status." + string(p.Status)
	case p.CreditsDisputed > 0:
		return "purchase.status.disputed"
	case back < p.CreditsGranted:
		return "purchase.status.partly_returned"
	default:
		return "purchase.status.returned"
	}
}

// standingKind is how that word looks.
func standingKind(p models.Purchase) components.AlertKind {
	if p.CreditsRefunded+p.CreditsDisputed > 0 {
		return components.Warning
	}
	return statusKind(p.Status)
}

// statusKind is how a purchase's status looks.
func statusKind(status models.PurchaseStatus) components.AlertKind {
	switch status {
	case models.PurchasePaid:
		return components.Success
	case models.PurchaseFailed, models.PurchaseExpired:
		return components.Danger
	case models.PurchaseReview, models.PurchaseReturned:
		return components.Warning
	}
	return components.Notice
}

// numbered calls a user by their number.
func numbered(ctx context.Context, id int64) string {
	return locales.T(ctx, "admin_user.unnamed", locales.Args{"id": strconv.FormatInt(id, 10)})
}

// userName is what a page calls a user.
func userName(ctx context.Context, u models.User) string {
	if u.DeletedAt != nil {
		return locales.T(ctx, "admin_user.deleted_name", locales.Args{"id": strconv.FormatInt(u.ID, 10)})
	}
	if u.Name != "" {
		return u.Name
	}
	return numbered(ctx, u.ID)
}
