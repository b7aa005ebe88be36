package handlers

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/outbound"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	shownDeliveries = 50
	maxReplayHours  = 30 * 24
)

// newWebhookForm returns the form with its defaults: all events.
func newWebhookForm() pages.WebhookForm {
	return pages.WebhookForm{Events: models.AllWebhookEvents().Strings(),
		LowThreshold: strconv.Itoa(int(outbound.DefaultThreshold))}
}

// webhookForm returns the form with the values that value returns by name.
func webhookForm(value func(name string) string) pages.WebhookForm {
	form := pages.WebhookForm{URL: value("url"), LowThreshold: value("low_threshold")}
	for _, t := range models.WebhookTypes() {
		if value(string(t)) != "" {
			form.Events = append(form.Events, string(t))
		}
	}
	return form
}

// showWebhooks is GET /{locale}/admin/webhooks.
func (h *Handler) showWebhooks(c *fiber.Ctx) error {
	form := newWebhookForm()
	if d := h.loadDraft(c); d.of("") {
		form = webhookForm(d.value)
	}
	return h.renderWebhooks(c, fiber.StatusOK, pages.AdminWebhooksData{Form: form})
}

// renderWebhooks sends the page with the lists of endpoints and deliveries.
func (h *Handler) renderWebhooks(c *fiber.Ctx, status int, data pages.AdminWebhooksData) (err error) {
	if data.Endpoints, err = h.Outbound.List(c.UserContext()); err != nil {
		return err
	}
	if data.Deliveries, err = h.Outbound.Deliveries(c.UserContext(), shownDeliveries); err != nil {
		return err
	}
	data.Example = jsonText(json.RawMessage(outbound.Example(models.WebhookSpent)), "  ")
	data.Receiver = exampleFile("Python", receiver)
	data.Locale, data.CSRF, data.Form.Key = pageLocale(c), currentVisitor(c).csrf(), randomKey()
	return h.render(c, status, "admin_webhooks.title", pages.AdminWebhooks(data))
}

// addWebhook is POST /{locale}/admin/webhooks. It answers without a redirect because only this page shows the secret. A
// repeated POST adds nothing and says that the secret was shown before.
func (h *Handler) addWebhook(c *fiber.Ctx) error {
	form, key := webhookForm(func(name string) string { return formValue(c, name) }), formValue(c, "idempotency_key")
	if key == "" {
		return fault.Because(fault.Malformed, fault.KeyMissing)
	}
	endpoint, secret, err := h.Outbound.Add(c.UserContext(), outbound.Request{URL: form.URL, Events: form.Events,
		LowThreshold: models.Credits(parseDigits(form.LowThreshold)), IdempotencyKey: key})
	if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
		form.Errors = errors
		return h.renderWebhooks(c, status, pages.AdminWebhooksData{Form: form})
	}
	if err != nil {
		return err
	}
	return h.renderWebhooks(c, fiber.StatusOK,
		pages.AdminWebhooksData{Made: &endpoint, Secret: secret, Form: newWebhookForm()})
}

// rotateWebhook is POST /{locale}/admin/webhooks/{id}/rotate. It answers as addWebhook does.
func (h *Handler) rotateWebhook(c *fiber.Ctx) error {
	id, err := pathUUID(c)
	if err != nil {
		return err
	}
	key := formValue(c, "idempotency_key")
	if key == "" {
		return fault.Because(fault.Malformed, fault.KeyMissing)
	}
	secret, err := h.Outbound.Rotate(c.UserContext(), id, key)
	if err != nil {
		return err
	}
	return h.renderWebhooks(c, fiber.StatusOK,
		pages.AdminWebhooksData{Made: &models.WebhookEndpoint{ID: id}, Secret: secret, Form: newWebhookForm()})
}

// changeWebhook is POST /{locale}/admin/webhooks/{id}/{disable, enable, remove or test}.
func (h *Handler) changeWebhook(action string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		id, err := pathUUID(c)
		if err != nil {
			return err
		}
		switch action {
		case "disable", "enable":
			err = h.Outbound.SetEnabled(c.UserContext(), id, action == "enable")
		case "remove":
			err = h.Outbound.Remove(c.UserContext(), id)
		case "test":
			err = h.Outbound.Test(c.UserContext(), id)
		}
		return h.redirectAfter(c, localPath(c, "/admin/webhooks"), err, "webhook_"+action)
	}
}

// replayWebhooks is POST /{locale}/admin/webhooks/{id}/replay: all failed deliveries of the last hours.
func (h *Handler) replayWebhooks(c *fiber.Ctx) error {
	id, err := pathUUID(c)
	if err != nil {
		return err
	}
	hours := parseDigits(formValue(c, "hours"))
	if hours < 1 || hours > maxReplayHours {
		return fault.Field("hours", fault.ChoiceUnknown)
	}
	since := time.Now().Add(-time.Duration(hours) * time.Hour)
	_, err = h.Outbound.ReplayFailed(c.UserContext(), id, since)
	return h.redirectAfter(c, localPath(c, "/admin/webhooks"), err, "webhook_replay")
}

// replayWebhook is POST /{locale}/admin/webhooks/deliveries/{id}/replay.
func (h *Handler) replayWebhook(c *fiber.Ctx) error {
	err := h.Outbound.Replay(c.UserContext(), parseDigits(c.Params("id")))
	return h.redirectAfter(c, localPath(c, "/admin/webhooks"), err, "webhook_replay")
}
