package handlers

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// startPurchase is POST /{locale}/purchase: it begins buying one package and sends the browser to Stripe.
func (h *Handler) startPurchase(c *fiber.Ctx) error {
	price, quantity, key := formValue(c, "price_id"), strings.TrimSpace(formValue(c, "quantity")), formValue(c, "idempotency_key")
	if key != "" { // who comes back from Stripe and changes the form wants another purchase, not the first one again
		key += ":" + price + ":" + quantity
	}
	started, err := h.Purchase.Start(c.UserContext(), purchase.Order{
		UserID: currentUserID(c), PriceID: price, Quantity: wholeNumber(quantity), Locale: pageLocale(c), Key: key,
	})
	if f := fault.Of(err); f != nil && f.Code == fault.Invalid {
		return h.renderPackages(c, fiber.StatusUnprocessableEntity, pages.PurchaseData{
			PriceID: price, Quantity: quantity, Errors: map[string]string{f.Field: h.message(c.UserContext(), f)},
		})
	}
	if err != nil {
		return err
	}
	return h.leaveToPay(c, started)
}

// leaveToPay sends the browser to where the order is paid. A browser drops the redirect of a form without a word when
// the page's policy does not name where it leads, as when Stripe's pages are under a domain of the seller's; there, the
// order's own page leads on.
func (h *Handler) leaveToPay(c *fiber.Ctx, started purchase.Started) error {
	if u, err := url.Parse(started.URL); err == nil && slices.Contains(h.Site.FormTargets, u.Scheme+"://"+u.Host) {
		return leave(c, started.URL)
	}
	setFlash(c, h.Sessions.secure, flashPaying)
	return leave(c, "/"+pageLocale(c)+"/purchase/"+started.PurchaseID.String())
}
