package handlers

import (
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showAdminUser is GET /{locale}/admin/users/{id}.
func (h *Handler) showAdminUser(c *fiber.Ctx) error {
	d := h.loadDraft(c)
	forms := userForms{grant: pages.GrantForm{Direction: pages.DirectionGrant}, access: draftedAccess(d)}
	if d.of("grant") {
		forms.grant.Credits, forms.grant.Note = d.value("credits"), d.value("note")
		if d.value("direction") == pages.DirectionCorrect {
			forms.grant.Direction = pages.DirectionCorrect
		}
	}
	return h.renderAdminUser(c, fiber.StatusOK, forms)
}

// userForms are the page's forms as posted.
type userForms struct {
	grant  pages.GrantForm
	access pages.AccessForm
}

// renderAdminUser sends the page of one user.
func (h *Handler) renderAdminUser(c *fiber.Ctx, status int, forms userForms) error {
	cursor, err := parseCursor(c)
	if err != nil {
		return err
	}
	before, err := purchaseCursor(c)
	if err != nil {
		return err
	}
	page, err := h.Admin.UserPage(c.UserContext(), admin.UserPageQuery{UserID: pathID(c), EntriesBefore: cursor,
		PurchasesBefore: before, Limit: entriesPerPage})
	if err != nil {
		return err
	}
	h.labelProviders(page.Identities)
	if err := h.labelAudit(page.Audit); err != nil {
		return err
	}
	here := fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), page.User.ID)
	data := pages.AdminUserData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), ReadOnly: readOnly(c), User: page.User,
		Identities: page.Identities,
		Purchases:  page.Purchases,
		Entries:    page.History.Entries, FirstURL: firstPage(here, cursor), NextURL: nextPage(here, page.History.Next),
		Labels: map[models.Reason]string{}, Holds: page.Holds, Events: page.Events.Events, EventsOf: page.Events.Purchases,
		Audit: page.Audit, Keys: page.Keys, Form: forms.grant, Access: h.accessData(page, forms.access),
		Bounce: page.Bounce, Open: page.Open, People: page.People,
	}
	data.Form.Key = randomKey()
	if data.ReadOnly {
		data.Keys = nil
	}
	for _, w := range page.Withdrawals {
		data.Withdrawals = append(data.Withdrawals, pages.AdminWithdrawal{ListedWithdrawal: w})
	}
	for _, f := range page.Features {
		data.Labels[f.Feature] = f.Label(pageLocale(c))
	}
	if page.MorePurchases {
		data.MorePurchases = here + "?purchases=" + page.Purchases[len(page.Purchases)-1].ID.String()
	}
	if before != uuid.Nil {
		data.FirstPurchases = here
	}
	return h.renderTitled(c, status, pages.UserTitle(c.UserContext(), page.User), pages.AdminUser(data))
}

// purchaseCursor parses the id of the purchase before which the page starts; the zero id is the first page.
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
