package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// showPurchase is GET /{locale}/purchase/{id}.
func (h *Handler) showPurchase(c *fiber.Ctx) error {
	p, err := h.Purchase.Purchase(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	d, err := h.Purchase.Detail(c.UserContext(), p.ID.String())
	if err != nil {
		return err
	}
	entries, err := h.Ledger.OfPurchase(c.UserContext(), p.ID.String(), currentUserID(c))
	if err != nil {
		return err
	}
	withdrawal, err := h.Withdrawal.OfPurchase(c.UserContext(), p.ID)
	if err != nil {
		return err
	}
	pay := h.Purchase.PayURL(d.Purchase)
	if pay != "" && c.Cookies(flashCookie) == flashPaying { // once, because the back button leads here
		c.Set("Refresh", "0; url="+pay)
	}
	return h.render(c, fiber.StatusOK, "purchase_detail.title", pages.PurchaseDetail(pages.PurchaseDetailData{
		Locale: pageLocale(c), Purchase: d.Purchase, Entries: entries, Refunds: d.Refunds, Disputes: d.Disputes,
		PayURL: pay, Receipt: purchase.HasReceipt(d.Purchase),
		Withdrawable: h.Withdrawal.Withdrawable(d.Purchase), Withdrawal: withdrawal,
	}))
}
