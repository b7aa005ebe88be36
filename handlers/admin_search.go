package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// findHits returns everything but users that the searched text matches. only is the page of the single match of an id;
// empty otherwise.
func (h *Handler) findHits(c *fiber.Ctx, text string) (hits []models.Hit, only string, err error) {
	hits, isID, err := h.Admin.FindByID(c.UserContext(), text)
	switch {
	case err != nil:
		return nil, "", err
	case !isID:
		hits, err = h.Admin.FindAnonymousWithdrawals(c.UserContext(), text)
	case len(hits) == 1:
		only = pages.HitPath(pageLocale(c), hits[0], readOnly(c))
	}
	return hits, only, err
}
