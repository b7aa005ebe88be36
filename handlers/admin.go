package handlers

import (
	"fmt"
	"math"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

const openEvents = 100

// showAdminUser is GET /{locale}/admin/users/{id}.
func (h *Handler) showAdminUser(c *fiber.Ctx) error {
	return h.renderAdminUser(c, fiber.StatusOK, pages.GrantForm{Direction: pages.DirectionGrant})
}

func (h *Handler) renderAdminUser(c *fiber.Ctx, status int, form pages.GrantForm) error {
	ctx := c.UserContext()
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	user, err := h.Admin.User(ctx, idOf(c))
	if err != nil {
		return err
	}
	identities, err := h.Auth.Identities(ctx, user.ID)
	if err != nil {
		return err
	}
	purchases, err := h.Purchase.OfUser(ctx, user.ID, entriesPerPage)
	if err != nil {
		return err
	}
	page, err := h.Ledger.History(ctx, user.ID, cursor, entriesPerPage)
	if err != nil {
		return err
	}
	form.Key = randomKey()
	here := fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), user.ID)
	return h.render(c, status, "admin_user.title", pages.AdminUser(pages.AdminUserData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, User: user, Identities: identities, Purchases: purchases,
		Entries: page.Entries, FirstURL: firstPage(here, cursor), NextURL: nextPage(here, page.Next), Form: form,
	}))
}

// grantCredits is POST /{locale}/admin/users/{id}/grant: give credits, or take back what was wrong.
func (h *Handler) grantCredits(c *fiber.Ctx) error {
	form := pages.GrantForm{Direction: formValue(c, "direction"), Credits: formValue(c, "credits"), Note: formValue(c, "note")}
	delta, flash := models.Credits(wholeNumber(strings.TrimSpace(form.Credits))), "granted"
	if delta < 0 { // not a number: no direction makes it one
		delta = 0
	}
	err := error(nil)
	switch form.Direction {
	case pages.DirectionGrant:
	case pages.DirectionCorrect:
		delta, flash = -delta, "corrected"
	default:
		err = fault.Field("direction", fault.CorrectionDirection)
	}
	if err == nil {
		_, err = h.Admin.Grant(c.UserContext(), admin.Grant{
			ActorID: currentUserID(c), UserID: idOf(c), Delta: delta, Note: form.Note, Key: formValue(c, "idempotency_key"), RequestID: requestID(c),
		})
	}
	if f := fault.Of(err); f != nil && (f.Code == fault.Invalid || f.Code == fault.Conflict) {
		keepContent(c)
		form.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)} // a conflict is of no field; the form comes with a new key
		return h.renderAdminUser(c, answers[f.Code].status, form)
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, flash)
	return leave(c, fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), idOf(c)))
}

// showEvents is GET /{locale}/admin/events: when Stripe last wrote, and what waits or needs a person.
func (h *Handler) showEvents(c *fiber.Ctx) error {
	overview, err := h.Webhook.Overview(c.UserContext(), openEvents)
	if err != nil {
		return err
	}
	last, err := h.Purchase.LastReconciliation(c.UserContext())
	if err != nil {
		return err
	}
	data := pages.AdminEventsData{Locale: pageLocale(c), CSRF: currentVisitor(c).token, LastReceived: overview.LastReceived,
		Open: overview.Open, Purchases: overview.Purchases}
	if last != nil {
		data.Last, data.Findings = &last.Reconciliation, last.Findings
	}
	return h.render(c, fiber.StatusOK, "admin_events.title", pages.AdminEvents(data))
}

// startReconcile is POST /{locale}/admin/reconcile: compare with Stripe and with the ledger now rather than within the hour.
func (h *Handler) startReconcile(c *fiber.Ctx) error {
	if err := h.Purchase.BeginReconcile(c.UserContext()); err != nil {
		return err
	}
	h.Site.Log.InfoContext(c.UserContext(), "reconciling asked for by hand", "actor_id", currentUserID(c))
	setFlash(c, h.Sessions.secure, "reconciling")
	return leave(c, "/"+pageLocale(c)+"/admin/events")
}

// retryEvent is POST /{locale}/admin/events/{id}/retry: book a stored event once more, then back to the purchase from
// whose page it was asked for, else to the events.
func (h *Handler) retryEvent(c *fiber.Ctx) error {
	if err := h.Webhook.Retry(c.UserContext(), strings.ToValidUTF8(c.Params("id"), "")); err != nil {
		return err
	}
	h.Site.Log.InfoContext(c.UserContext(), "event tried again by hand", "event_id", c.Params("id"), "actor_id", currentUserID(c))
	setFlash(c, h.Sessions.secure, "retried")
	if id, err := uuid.Parse(formValue(c, "purchase_id")); err == nil {
		return leave(c, adminPurchasePath(c, id))
	}
	return leave(c, "/"+pageLocale(c)+"/admin/events")
}

// showAudit is GET /{locale}/admin/audit.
func (h *Handler) showAudit(c *fiber.Ctx) error {
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	entries, next, err := h.Admin.Audit(c.UserContext(), cursor, entriesPerPage)
	if err != nil {
		return err
	}
	here := "/" + pageLocale(c) + "/admin/audit"
	return h.render(c, fiber.StatusOK, "admin_audit.title", pages.AdminAudit(pages.AdminAuditData{
		Locale: pageLocale(c), Entries: entries, FirstURL: firstPage(here, cursor), NextURL: nextPage(here, next),
	}))
}

// idOf is the number in the address; 0, which nobody has, when it is not one.
func idOf(c *fiber.Ctx) int64 {
	id := wholeNumber(c.Params("id"))
	if id < 0 || id > math.MaxInt32 { // the column's own range
		return 0
	}
	return id
}
