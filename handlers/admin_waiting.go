package handlers

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// waitingShown is how many waiting items the overview lists.
const waitingShown = 50

// showWaitingItem is GET /{locale}/admin/events/{id}, /findings/{id} and /resumes/{id}: why an item waits for a
// person. Items of a purchase are decided on the purchase's page.
func (h *Handler) showWaitingItem(kind models.WaitingKind) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return h.renderWaitingItem(c, fiber.StatusOK, kind, draftedDecision(h.loadDraft(c)))
	}
}

// draftedDecision returns the decision of a draft.
func draftedDecision(d draft) pages.DecisionForm {
	for _, kind := range models.DecisionKinds() {
		if d.of(string(kind)) {
			return pages.DecisionForm{Kind: kind, Note: d.value("note"), Credits: d.value("credits"),
				Share: d.value("share"), DisputeID: d.value("dispute_id")}
		}
	}
	return pages.DecisionForm{}
}

// renderWaitingItem sends the page of one waiting item. One that another admin has decided leads to the list.
func (h *Handler) renderWaitingItem(c *fiber.Ctx, status int, kind models.WaitingKind, form pages.DecisionForm) error {
	item, err := h.Admin.WaitingItem(c.UserContext(), kind, strings.ToValidUTF8(c.Params("id"), ""))
	if err != nil {
		return h.redirectAfter(c, localPath(c, "/admin"), err, "")
	}
	return h.render(c, status, "waiting.title", pages.WaitingItem(pages.WaitingItemData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), ReadOnly: readOnly(c), Item: item, Form: form,
	}))
}

// decideItem is POST /{locale}/admin/events/{id}/foreign and /close, /findings/{id}/close and /resumes/{id}/close.
func (h *Handler) decideItem(item models.WaitingKind, kind models.DecisionKind) fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		form := pages.DecisionForm{Kind: kind, Note: formValue(c, "note")}
		decision := admin.Decision{ActorID: currentUserID(c), Kind: kind, Note: form.Note, RequestID: requestID(c)}
		switch item {
		case models.WaitingFinding:
			err = h.Admin.CloseFinding(c.UserContext(), pathID(c), decision)
		case models.WaitingResumes:
			err = h.Admin.CloseResumes(c.UserContext(), pathID(c), decision)
		default:
			err = h.Admin.DecideEvent(c.UserContext(), strings.ToValidUTF8(c.Params("id"), ""), decision)
		}
		if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
			form.Errors = errors
			return h.renderWaitingItem(c, status, item, form)
		}
		return h.redirectAfter(c, localPath(c, "/admin"), err, "decided_"+string(kind))
	}
}

// retryResumes is POST /{locale}/admin/resumes/{id}/retry: Resume Matcher is asked again within seconds.
func (h *Handler) retryResumes(c *fiber.Ctx) error {
	err := h.Admin.RetryResumes(c.UserContext(), pathID(c))
	return h.redirectAfter(c, localPath(c, "/admin"), err, "resumes_retried")
}
