package handlers

import (
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
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
