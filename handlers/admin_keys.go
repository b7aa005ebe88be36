package handlers

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// newKeyForm returns the form with its defaults.
func newKeyForm() pages.KeyForm {
	return pages.KeyForm{PerMinute: strconv.Itoa(apikey.DefaultPerMinute), Spend: true}
}

// showKeys is GET /{locale}/admin/keys.
func (h *Handler) showKeys(c *fiber.Ctx) error {
	form := newKeyForm()
	if d := h.loadDraft(c); d.of("") {
		form = pages.KeyForm{Name: d.value("name"), PerMinute: d.value("per_minute"), Days: d.value("expires_days"),
			Spend: d.value("scope_spend") != "", Read: d.value("scope_read") != ""}
	}
	return h.renderKeys(c, fiber.StatusOK, pages.AdminKeysData{Form: form})
}

// renderKeys sends the page with the list of keys.
func (h *Handler) renderKeys(c *fiber.Ctx, status int, data pages.AdminKeysData) error {
	keys, err := h.Keys.List(c.UserContext())
	if err != nil {
		return err
	}
	data.Locale, data.CSRF, data.Keys, data.Form.Key, data.Now = pageLocale(c), currentVisitor(c).
		csrf(), keys, randomKey(), time.Now()
	return h.render(c, status, "admin_keys.title", pages.AdminKeys(data))
}

// createKey is POST /{locale}/admin/keys. It answers without a redirect because only this page shows the key. A
// repeated POST creates nothing and says that the key was shown before.
func (h *Handler) createKey(c *fiber.Ctx) error {
	form := pages.KeyForm{Name: formValue(c, "name"), PerMinute: formValue(c, "per_minute"),
		Days:  formValue(c, "expires_days"),
		Spend: formValue(c, "scope_spend") != "", Read: formValue(c, "scope_read") != ""}
	formKey := formValue(c, "idempotency_key")
	if formKey == "" {
		return fault.Because(fault.Malformed, fault.KeyMissing)
	}
	key, plaintext, err := h.Keys.Create(c.UserContext(), apikey.Request{
		Name: form.Name, Scopes: form.Scopes(), PerMinute: int(parseDigits(strings.TrimSpace(form.PerMinute))),
		ExpiresInDays: int(parseDigits(cmp.Or(form.Days, "0"))),
		ActorID:       currentUserID(c), RequestID: requestID(c), IdempotencyKey: formKey,
	})
	if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
		form.Errors = errors
		return h.renderKeys(c, status, pages.AdminKeysData{Form: form})
	}
	if err != nil {
		return err
	}
	return h.renderKeys(c, fiber.StatusOK, pages.AdminKeysData{Made: &key, Plaintext: plaintext, Form: newKeyForm(),
		TryIt: h.tryKey(plaintext, currentUserID(c))})
}

// tryKey returns a command that reads the admin's own balance with a new key.
func (h *Handler) tryKey(key string, userID int64) string {
	return fmt.Sprintf("curl -H 'Authorization: Bearer %s' \\\n  '%s/api/credits/balance?userId=%d'", key,
		h.Site.AppURL, userID)
}

// revokeKey is POST /{locale}/admin/keys/{id}/revoke.
func (h *Handler) revokeKey(c *fiber.Ctx) error {
	id, err := pathUUID(c)
	if err != nil {
		return err
	}
	err = h.Keys.Revoke(c.UserContext(), id, currentUserID(c), requestID(c))
	return h.redirectAfter(c, localPath(c, "/admin/keys"), err, "key_revoked")
}
