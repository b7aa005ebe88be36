package handlers

import (
	"cmp"
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/views/pages"
)

// showAccount is GET /{locale}/account.
func (h *Handler) showAccount(c *fiber.Ctx) error {
	user := currentUser(c)
	form := pages.AccountData{Name: user.Name, Language: h.preferredLocale(c)}
	if d := h.loadDraft(c); d.of("") {
		form.Name, form.Language = d.value("name"), cmp.Or(d.value("locale"), form.Language)
	} else if d.of("letters") {
		form.Refused = refusedLetters(d.value)
	}
	return h.renderAccount(c, fiber.StatusOK, form)
}

// renderAccount sends the account page with a profile form.
func (h *Handler) renderAccount(c *fiber.Ctx, status int, data pages.AccountData) error {
	page, err := h.Account.Page(c.UserContext(), currentUserID(c))
	if err != nil {
		return err
	}
	h.labelProviders(page.Identities)
	data.Bounce = page.Bounce
	if data.Refused == nil { // nothing was typed
		data.Refused = page.Refused
	}
	data.Locale, data.CSRF, data.MaxName = pageLocale(c), currentVisitor(c).csrf(), auth.MaxName
	data.Email, data.LetterLanguage = currentUser(c).Email, cmp.Or(currentUser(c).Locale, models.Locales[0])
	for _, i := range page.Identities {
		data.SignIns = append(data.SignIns, pages.SignIn{ID: auth.IdentityID(i), Provider: i.Provider, Email: i.Email,
			Verified: i.EmailVerified, Last: i.LastSignInAt})
	}
	for _, p := range h.Auth.Providers() {
		data.Linkable = append(data.Linkable, pages.Linkable{Name: p.Name, Label: p.Label,
			URL: h.flowPath(c, p.Name, auth.KindLink, "")})
	}
	here := currentVisitor(c).session.KeyHash
	for _, s := range page.Sessions {
		data.Sessions = append(data.Sessions, pages.AccountSession{ID: s.KeyHash, Device: s.Device, Since: s.CreatedAt,
			Seen: s.LastSeenAt, Here: s.KeyHash == here})
	}
	return h.render(c, status, "account.title", pages.Account(data))
}

// labelProviders replaces the providers' names in identities by their labels.
func (h *Handler) labelProviders(identities []models.Identity) {
	for i := range identities {
		identities[i].Provider = h.providerLabel(identities[i].Provider)
	}
}

// labelAudit replaces the providers' names in the details of audit entries by their labels.
func (h *Handler) labelAudit(entries []models.AuditEntry) error {
	for i := range entries {
		var detail map[string]json.RawMessage
		var name string
		if json.Unmarshal(entries[i].Detail, &detail) != nil || json.Unmarshal(detail["provider"], &name) != nil {
			continue // names no provider
		}
		var err error
		if detail["provider"], err = json.Marshal(h.providerLabel(name)); err != nil {
			return err
		}
		if entries[i].Detail, err = json.Marshal(detail); err != nil {
			return err
		}
	}
	return nil
}

// providerLabel returns a provider's label, or its name when the provider is no longer configured.
func (h *Handler) providerLabel(name string) string {
	for _, p := range h.Auth.Providers() {
		if p.Name == name {
			return p.Label
		}
	}
	return name
}
