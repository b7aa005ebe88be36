package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// startPurchase is POST /{locale}/purchase: it creates a purchase and redirects to Stripe.
func (h *Handler) startPurchase(c *fiber.Ctx) error {
	back, err := h.orderReturnURL(c)
	if err != nil {
		return err
	}
	price, quantity := formValue(c, "price_id"), strings.TrimSpace(formValue(c, "quantity"))
	declares := declaredIn(c)
	form := pages.PurchaseData{PriceID: price, Quantity: quantity, Statements: declares.statements()}
	if changed, err := h.totalChanged(c, price, quantity); err != nil || changed {
		if err != nil {
			return err
		}
		form.Errors = map[string]string{"total": locales.T(c.UserContext(), "purchase.total_changed")}
		return h.renderPackages(c, fiber.StatusUnprocessableEntity, form)
	}
	key := formValue(c, "idempotency_key")
	if key != "" { // a changed form after the back button is another purchase
		key += ":" + price + ":" + quantity + declares.key()
	}
	consent, err := h.consent(c.UserContext(), declares)
	var started purchase.Started
	if err == nil {
		started, err = h.Purchase.Start(c.UserContext(), purchase.Order{UserID: currentUserID(c), PriceID: price,
			Quantity: parseDigits(quantity), Locale: pageLocale(c), Key: key, Consent: consent, ReturnURL: back})
	}
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		form.Errors = errors
		return h.renderPackages(c, status, form)
	}
	if err != nil {
		return err
	}
	return h.redirectToPayment(c, started)
}

// totalChanged reports whether an order costs another total than its form showed: a price has changed, or the buyer
// chose another package or quantity without a script to update the total. The law requires the total to be shown
// before the order.
func (h *Handler) totalChanged(c *fiber.Ctx, priceID, quantity string) (bool, error) {
	shown, units := formValue(c, "total"), orderedUnits(quantity)
	if shown == "" || units == 0 {
		return false, nil
	}
	offers, err := h.Catalog.CurrentOffers(c.UserContext())
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(offers, func(o models.Offer) bool { return o.StripePriceID == priceID })
	return i >= 0 && shown != strconv.FormatInt(int64(offers[i].Total(units)), 10), nil
}

// redirectToPayment redirects to Stripe's payment page. Browsers silently drop a form's redirect to an origin outside
// form-action, such as a seller's own Stripe domain; those buyers pay through the purchase's own page.
func (h *Handler) redirectToPayment(c *fiber.Ctx, started purchase.Started) error {
	if u, err := url.Parse(started.URL); err == nil && slices.Contains(h.Site.FormTargets, u.Scheme+"://"+u.Host) {
		return redirect(c, started.URL)
	}
	return h.redirectWithFlash(c, localPath(c, "/purchase/"+started.PurchaseID.String()), flashPaying)
}
