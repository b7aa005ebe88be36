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

const (
	openEvents   = 100
	recordsShown = 10 // events and lines of the audit log on a user's page
)

// showAdminUser is GET /{locale}/admin/users/{id}.
func (h *Handler) showAdminUser(c *fiber.Ctx) error {
	forms := userForms{grant: pages.GrantForm{Direction: pages.DirectionGrant}, access: keptAccess(c)}
	if typedIn(c, "grant") {
		forms.grant.Credits, forms.grant.Note = queryValue(c, "credits"), queryValue(c, "note")
		if c.Query("direction") == pages.DirectionCorrect {
			forms.grant.Direction = pages.DirectionCorrect
		}
	}
	return h.renderAdminUser(c, fiber.StatusOK, forms)
}

// userForms are the forms of a user's page, as they were typed.
type userForms struct {
	grant  pages.GrantForm
	access pages.AccessForm
}

func (h *Handler) renderAdminUser(c *fiber.Ctx, status int, forms userForms) error {
	ctx := c.UserContext()
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	user, err := h.Admin.User(ctx, idOf(c))
	if err != nil {
		return err
	}
	identities, err := h.labeled(ctx, user.ID)
	if err != nil {
		return err
	}
	before, err := purchaseCursor(c)
	if err != nil {
		return err
	}
	purchases, more, err := h.Purchase.OfUser(ctx, user.ID, before, entriesPerPage)
	if err != nil {
		return err
	}
	page, err := h.Ledger.History(ctx, user.ID, cursor, entriesPerPage)
	if err != nil {
		return err
	}
	data := pages.AdminUserData{Locale: pageLocale(c), CSRF: currentVisitor(c).token, User: user, Identities: identities, Purchases: purchases}
	if err := h.addRecords(c, &data); err != nil {
		return err
	}
	if data.Access, err = h.accessOf(c, user.ID, identities); err != nil {
		return err
	}
	data.Access.Form, data.Form = forms.access, forms.grant
	data.Form.Key = randomKey()
	here := fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), user.ID)
	if more {
		data.MorePurchases = here + "?purchases=" + purchases[len(purchases)-1].ID.String()
	}
	if before != uuid.Nil {
		data.FirstPurchases = here
	}
	data.Entries, data.FirstURL, data.NextURL = page.Entries, firstPage(here, cursor), nextPage(here, page.Next)
	return h.render(c, status, "admin_user.title", pages.AdminUser(data))
}

// purchaseCursor reads before which purchase a page of them begins; the zero id is the newest.
func purchaseCursor(c *fiber.Ctx) (uuid.UUID, error) {
	text := c.Query("purchases")
	if text == "" {
		return uuid.Nil, nil
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, fault.Field("purchases", fault.CursorInvalid)
	}
	return id, nil
}

// addRecords adds what else is known of a user: what is reserved, what Stripe said, what was done by hand.
func (h *Handler) addRecords(c *fiber.Ctx, data *pages.AdminUserData) error {
	ctx, user := c.UserContext(), data.User.ID
	features, err := h.Admin.Features(ctx)
	if err != nil {
		return err
	}
	data.Labels = map[models.Reason]string{}
	for _, f := range features {
		data.Labels[f.Feature] = f.Label(pageLocale(c))
	}
	if data.Holds, err = h.Ledger.Uncharged(ctx, user); err != nil {
		return err
	}
	events, err := h.Webhook.OfUser(ctx, user, recordsShown)
	if err != nil {
		return err
	}
	data.Events, data.EventsOf = events.Events, events.Purchases
	if data.Audit, err = h.Admin.AuditOf(ctx, user, recordsShown); err != nil {
		return err
	}
	keys, err := h.Keys.List(ctx)
	for _, k := range keys {
		if k.CreatedBy != nil && *k.CreatedBy == user {
			data.Keys = append(data.Keys, k)
		}
	}
	return err
}

// grantOf reads the form that moves credits by hand.
func grantOf(c *fiber.Ctx) (form pages.GrantForm, grant admin.Grant, flash string, err error) {
	form = pages.GrantForm{Direction: formValue(c, "direction"), Credits: formValue(c, "credits"), Note: formValue(c, "note")}
	delta := models.Credits(wholeNumber(strings.TrimSpace(form.Credits)))
	if delta < 0 { // not a number: no direction makes it one
		delta = 0
	}
	switch form.Direction {
	case pages.DirectionGrant:
		flash = "granted"
	case pages.DirectionCorrect:
		delta, flash = -delta, "corrected"
	default:
		err = fault.Field("direction", fault.CorrectionDirection)
	}
	return form, admin.Grant{ActorID: currentUserID(c), UserID: idOf(c), Delta: delta, Note: form.Note, Key: formValue(c, "idempotency_key"),
		RequestID: requestID(c)}, flash, err
}

// grantCredits is POST /{locale}/admin/users/{id}/grant: give credits, or take back what was wrong.
func (h *Handler) grantCredits(c *fiber.Ctx) error {
	form, grant, flash, err := grantOf(c)
	if err == nil {
		_, err = h.Admin.Grant(c.UserContext(), grant)
	}
	if f := fault.Of(err); f != nil && (f.Code == fault.Invalid || f.Code == fault.Conflict) {
		keepContent(c)
		form.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)} // a conflict is of no field; the form comes with a new key
		return h.renderAdminUser(c, answers[f.Code].status, userForms{grant: form})
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, flash)
	return leave(c, fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), idOf(c)))
}

// previewGrant answers the form without booking anything, where that was asked for: what is wrong with it, and what the
// balance would be. The reason may still be missing, unless it is what was asked about.
func (h *Handler) previewGrant(c *fiber.Ctx) error {
	asked := formValue(c, "preview")
	if asked == "" {
		return c.Next()
	}
	form, grant, _, wrong := grantOf(c)
	after := models.Credits(0)
	if wrong == nil {
		after, wrong = h.Admin.Preview(c.UserContext(), grant)
	}
	if wrong == nil {
		form.After = &after
	}
	problems := []error{wrong}
	if asked == "note" || strings.TrimSpace(form.Note) != "" {
		problems = append(problems, admin.CheckNote(form.Note))
	}
	form.Errors = map[string]string{}
	for _, err := range problems {
		f := fault.Of(err)
		switch {
		case err == nil:
		case f == nil || f.Code != fault.Invalid:
			return err
		default:
			form.Errors[f.Field] = h.message(c.UserContext(), f)
		}
	}
	status := fiber.StatusOK // to who types: nothing has been refused
	if len(form.Errors) > 0 && !wantsFragment(c) {
		status = answers[fault.Invalid].status
	}
	return h.renderAdminUser(c, status, userForms{grant: form})
}

// startReconcile is POST /{locale}/admin/reconcile: compare with Stripe and with the ledger now rather than within the hour.
func (h *Handler) startReconcile(c *fiber.Ctx) error {
	if err := h.Reconcile.Begin(c.UserContext()); err != nil {
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

// idOf is the number in the address; 0, which nobody has, when it is not one.
func idOf(c *fiber.Ctx) int64 {
	id := wholeNumber(c.Params("id"))
	if id < 0 || id > math.MaxInt32 { // the column's own range
		return 0
	}
	return id
}
