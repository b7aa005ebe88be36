package handlers

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/views/pages"
)

// confirmed reports whether an admin has seen the summary of the posted form and carries it out. A form that gives or
// takes credits or money does nothing without it, so neither Enter in a field nor a stray click books.
func confirmed(c *fiber.Ctx) bool { return formValue(c, "confirmed") == "yes" }

// summarize sends the summary of the posted form, with the form in it. A field of the summary replaces the form's.
func (h *Handler) summarize(c *fiber.Ctx, s pages.SummaryData) error {
	s.Locale, s.CSRF, s.Action, s.Back = pageLocale(c), currentVisitor(c).csrf(), c.Path(), h.saveDraft(c)
	s.Fields = append(slices.DeleteFunc(resendForm(c).Fields, func(f pages.ResendField) bool {
		return f.Name == "_csrf" || f.Name == "confirmed" ||
			slices.ContainsFunc(s.Fields, func(own pages.ResendField) bool { return own.Name == f.Name })
	}), s.Fields...)
	retargetContent(c)
	return h.renderTitled(c, fiber.StatusOK, s.Heading, pages.Summary(s))
}
