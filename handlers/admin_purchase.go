package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// showAdminPurchase is GET /{locale}/admin/purchases/{id}: every fact that explains why the buyer did or did not
// receive credits.
func (h *Handler) showAdminPurchase(c *fiber.Ctx) error {
	d := h.loadDraft(c)
	forms := purchaseForms{refund: pages.RefundForm{Rest: c.Query("amount") == "rest"}, decision: draftedDecision(d)}
	switch {
	case d.of("move"):
		forms.move.To, forms.move.Note = d.value("to"), d.value("note")
	case d.of("refund"):
		forms.refund.Typed, forms.refund.Note = d.value("amount"), d.value("note")
	}
	return h.renderAdminPurchase(c, fiber.StatusOK, forms)
}

// purchaseForms are the page's forms as posted.
type purchaseForms struct {
	refund   pages.RefundForm
	move     pages.MoveForm
	decision pages.DecisionForm
}

func (h *Handler) renderAdminPurchase(c *fiber.Ctx, status int, forms purchaseForms) error {
	d, err := h.Admin.PurchasePage(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	if status == fiber.StatusOK && forms.refund.Typed != "" {
		// 0 for an error, which the POST reports
		forms.refund.Cents, _ = parseCents("amount", forms.refund.Typed, d.PaymentCurrency(), pageLocale(c))
	}
	data := h.purchaseData(c, d)
	data.Form, data.Move, data.Decision = fillRefundForm(forms.refund, d), forms.move, forms.decision
	return h.renderTitled(c, status, pages.PurchaseTitle(c.UserContext(), d.Purchase), pages.AdminPurchase(data))
}

// purchaseData is what the pages about one purchase show, without its forms.
func (h *Handler) purchaseData(c *fiber.Ctx, d admin.PurchasePage) pages.AdminPurchaseData {
	data := pages.AdminPurchaseData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), ReadOnly: readOnly(c), User: d.User, People: d.People,
		Purchase: d.Purchase, Events: d.Events,
		Entries: d.Entries, Refunds: d.Refunds, Disputes: d.Disputes, Requests: d.Requests, Withdrawal: d.Withdrawal,
		Entitlement: d.Entitlement, Overdue: d.Entitlement != nil && d.Entitlement.Overdue(h.Withdrawal.Now()),
		UsableFrom: purchase.PeriodEnd(d.CreatedAt),
	}
	for _, w := range d.WaitingFor {
		data.Waits = append(data.Waits, string(w))
	}
	if h.Site.Sandbox {
		data.Dashboard = h.Site.Dashboard
	}
	return data
}
