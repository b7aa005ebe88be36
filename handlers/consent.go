package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// declared is what an order says about the withdrawal period: the boxes, and the version of the texts beside them.
type declared struct {
	earlyStart, compensation bool
	version                  string
}

// declaredIn reads the statements of a posted form.
func declaredIn(c *fiber.Ctx) declared {
	return declared{formValue(c, "consent_early_start") != "", formValue(c, "consent_compensation") != "",
		formValue(c, "consent_version")}
}

// statements are the boxes as they were ticked.
func (d declared) statements() pages.Statements {
	return pages.Statements{EarlyStart: d.earlyStart, Compensation: d.compensation}
}

// consent returns the buyer's statements in the language of ctx; nil when there are none.
//
// Errors: fault.Invalid when the texts have changed since the buyer read them.
func (h *Handler) consent(ctx context.Context, d declared) (*models.Consent, error) {
	if (d.earlyStart || d.compensation) && d.version != models.ConsentVersion {
		return nil, fault.Field("consent_version", fault.ConsentChanged)
	}
	texts := make([]string, len(pages.ConsentTexts))
	for i, key := range pages.ConsentTexts {
		texts[i] = locales.T(ctx, key)
	}
	return models.NewConsent(d.earlyStart, d.compensation, locales.Code(ctx), texts, h.Purchase.Now()), nil
}

// key distinguishes orders that declare different things.
func (d declared) key() string {
	return map[bool]string{true: ":early"}[d.earlyStart] + map[bool]string{true: ":compensation"}[d.compensation]
}
