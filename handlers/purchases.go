package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// showPackages is GET /{locale}/purchase. A link may choose a package by its credits, and how many of it.
func (h *Handler) showPackages(c *fiber.Ctx) error {
	return h.renderPackages(c, fiber.StatusOK, pages.PurchaseData{Quantity: "1"})
}

func (h *Handler) renderPackages(c *fiber.Ctx, status int, data pages.PurchaseData) error {
	offer, err := h.packages(c)
	if err != nil {
		return err
	}
	if data.PriceID == "" {
		data.PriceID, data.Quantity = choice(offer, c.Query("package"), c.Query("quantity"))
	}
	data.Locale, data.CSRF, data.Key, data.Packages = pageLocale(c), currentVisitor(c).token, randomKey(), offer
	data.SmallBusiness = h.Site.SmallBusiness
	data.Terms, data.Privacy = h.Site.Legal.Terms, h.Site.Legal.Privacy
	data.Debt = currentUser(c).CreditsBalance < 0
	return h.render(c, status, "purchase.title", pages.Purchase(data))
}

// packages is what is on sale.
func (h *Handler) packages(c *fiber.Ctx) ([]pages.Package, error) {
	prices, err := h.Catalog.Prices(c.UserContext())
	if err != nil {
		return nil, err
	}
	features, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return nil, err
	}
	return packages(prices, features), nil
}

// choice is the price and the quantity that an address asks for. What cannot be had is as if it were not asked for.
func choice(offer []pages.Package, credits, quantity string) (price, count string) {
	n := wholeNumber(quantity)
	if n < 1 || n > purchase.MaxQuantity {
		n = 1
	}
	wanted := models.Credits(wholeNumber(credits))
	for _, p := range offer {
		if p.Price.CreditsPerUnit == wanted {
			return p.Price.StripePriceID, strconv.FormatInt(n, 10)
		}
	}
	return "", "1"
}

// covering is the smallest package that holds so many credits; the largest, several times, when none does.
func covering(offer []pages.Package, credits models.Credits) (p *pages.Package, quantity int64) {
	if len(offer) == 0 {
		return nil, 0
	}
	for i := range offer { // the smallest first
		if offer[i].Price.CreditsPerUnit >= credits {
			return &offer[i], 1
		}
	}
	p = &offer[len(offer)-1]
	return p, min(int64((credits+p.Price.CreditsPerUnit-1)/p.Price.CreditsPerUnit), purchase.MaxQuantity)
}

// packages says of each price what it comes to and what it buys: how many resume analyses, while they are on offer.
func packages(prices []models.Price, features []models.FeaturePrice) []pages.Package {
	var analysis models.Credits
	for _, f := range features {
		if f.Feature == models.ReasonResumeAnalysis {
			analysis = f.Credits
		}
	}
	list := make([]pages.Package, len(prices))
	best := 0
	for i, p := range prices {
		list[i] = pages.Package{Price: p, Bonus: catalog.Bonus(p), PerHundred: perHundred(p)}
		if analysis > 0 {
			list[i].Analyses = int64(p.CreditsPerUnit / analysis)
		}
		if list[i].PerHundred < list[best].PerHundred {
			best = i
		}
	}
	if len(list) > 1 {
		list[best].Best = true
	}
	return list
}

// perHundred is what a hundred credits of this price cost, rounded to the cent.
func perHundred(p models.Price) models.Cents {
	return (p.PriceInCents*200 + models.Cents(p.CreditsPerUnit)) / models.Cents(2*p.CreditsPerUnit)
}

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
	if pay != "" && c.Cookies(flashCookie) == flashPaying { // once: the back button leads here
		c.Set("Refresh", "0; url="+pay)
	}
	return h.render(c, fiber.StatusOK, "purchase_detail.title", pages.PurchaseDetail(pages.PurchaseDetailData{
		Locale: pageLocale(c), Purchase: d.Purchase, Entries: entries, Refunds: d.Refunds, Disputes: d.Disputes,
		PayURL: pay, Receipt: purchase.HasReceipt(d.Purchase),
		Withdrawable: h.Withdrawal.Withdrawable(d.Purchase), Withdrawal: withdrawal,
	}))
}

// openReceipt is GET /{locale}/purchase/{id}/receipt: it sends the browser to the invoice, which Stripe keeps.
func (h *Handler) openReceipt(c *fiber.Ctx) error {
	address, err := h.Purchase.Receipt(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return leave(c, address)
}
