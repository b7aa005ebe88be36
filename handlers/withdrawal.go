package handlers

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/views/pages"
)

// showWithdrawal is GET /{locale}/withdrawal: the form to withdraw from a contract, open to anonymous visitors. A
// link from a purchase fills it in.
func (h *Handler) showWithdrawal(c *fiber.Ctx) error {
	form := pages.WithdrawalForm{PurchaseID: c.Query("purchase")}
	if account := currentVisitor(c).account; account != nil {
		form.Name, form.Email = account.Name, account.Email
	}
	if form.PurchaseID != "" {
		p, err := h.Purchase.Purchase(c.UserContext(), currentUserID(c), form.PurchaseID)
		if err != nil {
			return err
		}
		w, err := h.Withdrawal.OfPurchase(c.UserContext(), p.ID)
		if err != nil {
			return err
		}
		if w != nil {
			return redirect(c, localPath(c, "/withdrawal/"+w.ID.String()))
		}
		form.Contract = pages.ContractText(c.UserContext(), p)
	}
	return h.renderWithdrawal(c, fiber.StatusOK, form)
}

func (h *Handler) renderWithdrawal(c *fiber.Ctx, status int, form pages.WithdrawalForm) error {
	form.Key, form.Mailed = randomKey(), h.Mail.Server != nil
	return h.render(c, status, "withdrawal.title", pages.Withdrawal(pageLocale(c), form))
}

// declareWithdrawal is POST /{locale}/withdrawal. It needs no CSRF token because it needs no session; sameOrigin
// still checks the origin.
func (h *Handler) declareWithdrawal(c *fiber.Ctx) error {
	form := pages.WithdrawalForm{PurchaseID: formValue(c, "purchase_id"), Name: formValue(c, "name"),
		Email: formValue(c, "email"), Contract: formValue(c, "contract")}
	w, err := h.Withdrawal.Declare(c.UserContext(), withdrawal.Declaration{UserID: currentUserID(c),
		PurchaseID: form.PurchaseID, Name: form.Name,
		Email: form.Email, Contract: form.Contract, Reworded: h.reworded(c, form), Locale: pageLocale(c),
		Key:    formValue(c, "idempotency_key"),
		Sender: h.limitSender(c).String()})
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		form.Errors = errors
		return h.renderWithdrawal(c, status, form)
	}
	if err != nil {
		return err
	}
	return redirect(c, localPath(c, "/withdrawal/"+w.ID.String()))
}

// reworded reports whether the consumer describes a purchase in other words than the form did, in any language.
func (h *Handler) reworded(c *fiber.Ctx, form pages.WithdrawalForm) bool {
	p, err := h.Purchase.Purchase(c.UserContext(), currentUserID(c), form.PurchaseID)
	if err != nil { // Declare drops the purchase
		return true
	}
	typed := strings.Join(strings.Fields(form.Contract), " ")
	return typed != strings.Join(strings.Fields(pages.ContractText(c.UserContext(), p)), " ")
}

// showWithdrawalConfirmation is GET /{locale}/withdrawal/{id}: the declaration and its time of receipt.
func (h *Handler) showWithdrawalConfirmation(c *fiber.Ctx) error {
	w, err := h.Withdrawal.Find(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return h.render(c, fiber.StatusOK, "withdrawal.received.title", pages.WithdrawalReceived(pageLocale(c), w))
}

// sendWithdrawalConfirmation is GET /{locale}/withdrawal/{id}/confirmation.txt: the same as a download.
func (h *Handler) sendWithdrawalConfirmation(c *fiber.Ctx) error {
	w, err := h.Withdrawal.Find(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+locales.T(c.UserContext(), "withdrawal.file")+`.txt"`)
	return c.SendString(pages.ReceivedText(c.UserContext(), w))
}
