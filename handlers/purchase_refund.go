package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// showPurchaseRefund is GET /{locale}/purchase/{id}/refund: it asks whether to refund the unused credits.
func (h *Handler) showPurchaseRefund(c *fiber.Ctx) error {
	return h.renderPurchaseRefund(c, fiber.StatusOK, "")
}

// renderPurchaseRefund sends the question; problem is the error above it. Without an offer, it redirects to the
// purchase.
func (h *Handler) renderPurchaseRefund(c *fiber.Ctx, status int, problem string) error {
	page, err := h.Purchase.BuyerPage(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	if page.Offer.Cents == 0 {
		return redirect(c, purchasePath(c))
	}
	return h.render(c, status, "purchase_refund.title", pages.PurchaseRefund(pages.PurchaseRefundData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), Key: randomKey(), Purchase: page.Purchase, Offer: page.Offer,
		Error: problem}))
}

// refundUnused is POST /{locale}/purchase/{id}/refund.
func (h *Handler) refundUnused(c *fiber.Ctx) error {
	request, err := h.Purchase.RefundUnused(c.UserContext(), purchase.GoodwillOrder{
		UserID: currentUserID(c), PurchaseID: c.Params("id"), Key: formValue(c, "idempotency_key"),
		Seen: models.RefundOffer{Credits: models.Credits(parseDigits(formValue(c, "credits"))),
			Cents: models.Cents(parseDigits(formValue(c, "cents")))}})
	if f := fault.Of(err); f != nil && f.Problem == fault.GoodwillChanged {
		texts, status := h.formErrors(c, err, fault.Conflict)
		return h.renderPurchaseRefund(c, status, texts[""])
	}
	return h.redirectAfter(c, purchasePath(c), err, "goodwill_"+string(request.Status))
}

// purchasePath returns the page of the purchase in the address.
func purchasePath(c *fiber.Ctx) string { return localPath(c, "/purchase/"+c.Params("id")) }
