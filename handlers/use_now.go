package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showUseNow is GET /{locale}/purchase/{id}/use-now: it offers the statements with which held credits can be used.
func (h *Handler) showUseNow(c *fiber.Ctx) error {
	return h.renderUseNow(c, fiber.StatusOK, pages.Statements{})
}

// renderUseNow sends the statements. It redirects to the purchase when none of its credits are held.
func (h *Handler) renderUseNow(c *fiber.Ctx, status int, form pages.Statements) error {
	page, err := h.Purchase.BuyerPage(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	if page.Held.Credits == 0 {
		return redirect(c, purchasePath(c))
	}
	return h.render(c, status, "use_now.title", pages.UseNow(pages.UseNowData{Locale: pageLocale(c),
		CSRF: currentVisitor(c).csrf(), Purchase: page.Purchase, Held: page.Held, Statements: form,
		Error: form.Errors["consent_version"]}))
}

// useNow is POST /{locale}/purchase/{id}/use-now.
func (h *Handler) useNow(c *fiber.Ctx) error {
	declares := declaredIn(c)
	consent, err := h.consent(c.UserContext(), declares)
	if err == nil {
		err = h.Purchase.UseNow(c.UserContext(), currentUserID(c), c.Params("id"), consent)
	}
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		form := declares.statements()
		form.Errors = errors
		if text := errors["consent_early_start"]; text != "" && !declares.compensation {
			errors["consent_compensation"] = text
		}
		return h.renderUseNow(c, status, form)
	}
	return h.redirectAfter(c, purchasePath(c), err, "credits_usable")
}
