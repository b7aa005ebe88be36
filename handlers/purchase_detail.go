package handlers

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/purchase"
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
	aboutPurchase(c, page.Number)
	// once, because the back button leads here
	if page.PayURL != "" && c.Cookies(h.Sessions.cookieName(flashCookie)) == flashPaying {
		c.Set("Refresh", "0; url="+page.PayURL)
	}
	data := pages.PurchaseDetailData{
		Locale: pageLocale(c), Purchase: page.Purchase, Entries: page.Entries, Refunds: page.Refunds, Disputes: page.Disputes,
		Requests: page.Requests, Offer: page.Offer, Held: page.Held, PayURL: page.PayURL, Receipt: page.Receipt,
		UsableFrom: purchase.PeriodEnd(page.CreatedAt), FromBilling: cameFrom(c, "/billing"),
		Withdrawable: h.Withdrawal.Withdrawable(page.Purchase), Withdrawal: withdrawal,
	}
	title := pages.PurchaseTitle(c.UserContext(), page.Purchase)
	return h.renderTitled(c, fiber.StatusOK, title, pages.PurchaseDetail(data))
}

// cameFrom reports whether a link of one of our pages led here, by the Referer, which browsers may leave out.
func cameFrom(c *fiber.Ctx, path string) bool {
	from, err := url.Parse(c.Get(fiber.HeaderReferer))
	return err == nil && from.Path == localPath(c, path)
}
