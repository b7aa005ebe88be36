package handlers

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// newKeyForm is the form before anything is typed.
func newKeyForm() pages.KeyForm {
	return pages.KeyForm{PerMinute: strconv.Itoa(apikey.DefaultPerMinute), Spend: true}
}

// showKeys is GET /{locale}/admin/keys: the service keys of other programs.
func (h *Handler) showKeys(c *fiber.Ctx) error {
	form := newKeyForm()
	if name := queryValue(c, "name"); name != "" {
		form = pages.KeyForm{Name: name, PerMinute: queryValue(c, "per_minute"), Days: queryValue(c, "expires_days"), Spend: c.Query("scope_spend") != "", Read: c.Query("scope_read") != ""}
	}
	return h.renderKeys(c, fiber.StatusOK, pages.AdminKeysData{Form: form})
}

func (h *Handler) renderKeys(c *fiber.Ctx, status int, data pages.AdminKeysData) error {
	keys, err := h.Keys.List(c.UserContext())
	if err != nil {
		return err
	}
	data.Locale, data.CSRF, data.Keys, data.Form.Key, data.Now = pageLocale(c), currentVisitor(c).token, keys, randomKey(), time.Now()
	return h.render(c, status, "admin_keys.title", pages.AdminKeys(data))
}

// makeKey is POST /{locale}/admin/keys. The page that answers is the only one that shows the key, so it is no redirect;
// posted again, as by a reload, it makes no other key and says that this one was shown.
func (h *Handler) makeKey(c *fiber.Ctx) error {
	form := pages.KeyForm{Name: formValue(c, "name"), PerMinute: formValue(c, "per_minute"), Days: formValue(c, "expires_days"),
		Spend: formValue(c, "scope_spend") != "", Read: formValue(c, "scope_read") != ""}
	formKey := formValue(c, "idempotency_key")
	if formKey == "" {
		return fault.Because(fault.Malformed, fault.KeyMissing)
	}
	key, plaintext, err := h.Keys.Create(c.UserContext(), apikey.Request{
		Name: form.Name, Scopes: form.Scopes(), PerMinute: int(wholeNumber(strings.TrimSpace(form.PerMinute))),
		ExpiresInDays: int(wholeNumber(cmp.Or(form.Days, "0"))),
		ActorID:       currentUserID(c), RequestID: requestID(c), IdempotencyKey: formKey,
	})
	if f := fault.Of(err); f != nil && (f.Code == fault.Invalid || f.Code == fault.Conflict) {
		form.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)} // a conflict is of no field; the form comes with a new key
		return h.renderKeys(c, answers[f.Code].status, pages.AdminKeysData{Form: form})
	}
	if err != nil {
		return err
	}
	return h.renderKeys(c, fiber.StatusOK, pages.AdminKeysData{Made: &key, Plaintext: plaintext, Form: newKeyForm()})
}

// revokeKey is POST /{locale}/admin/keys/{id}/revoke.
func (h *Handler) revokeKey(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return fault.New(fault.NotFound, nil)
	}
	if err := h.Keys.Revoke(c.UserContext(), id, currentUserID(c), requestID(c)); err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, "key_revoked")
	return leave(c, "/"+pageLocale(c)+"/admin/keys")
}
