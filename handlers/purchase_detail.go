package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/views/pages"
)

// showPurchase is GET /{locale}/purchase/{id}.
func (h *Handler) showPurchase(c *fiber.Ctx) error {
	page, err := h.Purchase.BuyerPage(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	withdrawal, err := h.Withdrawal.OfPurchase(c.UserContext(), page.ID)
	if err != nil {
		return err
	}
	// once, because the back button leads here
	if page.PayURL != "" && c.Cookies(h.Sessions.cookieName(flashCookie)) == flashPaying {
		c.Set("Refresh", "0; url="+page.PayURL)
	}
	return h.render(c, fiber.StatusOK, "purchase_detail.title", pages.PurchaseDetail(pages.PurchaseDetailData{
		Locale: pageLocale(c), Purchase: page.Purchase, Entries: page.Entries, Refunds: page.Refunds, Disputes: page.Disputes,
		PayURL: page.PayURL, Receipt: page.Receipt,
		Withdrawable: h.Withdrawal.Withdrawable(page.Purchase), Withdrawal: withdrawal,
	}))
}
