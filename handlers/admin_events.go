package handlers

import (
	"strconv"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/webhook"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// startReconcile is POST /{locale}/admin/reconcile: it compares with Stripe now instead of at the next full hour.
func (h *Handler) startReconcile(c *fiber.Ctx) error {
	if err := h.Reconcile.Begin(c.UserContext()); err != nil {
		return err
	}
	h.Site.Log.InfoContext(c.UserContext(), "reconciliation requested", "actor_id", currentUserID(c))
	return h.redirectWithFlash(c, localPath(c, "/admin/events"), "reconciling")
}

// retryEvent is POST /{locale}/admin/events/{id}/retry. It redirects to the purchase page that posted the form, or to
// the events.
func (h *Handler) retryEvent(c *fiber.Ctx) error {
	if err := h.Webhook.Retry(c.UserContext(), strings.ToValidUTF8(c.Params("id"), "")); err != nil {
		return err
	}
	h.Site.Log.InfoContext(c.UserContext(), "event retry requested", "event_id", c.Params("id"), "actor_id",
		currentUserID(c))
	h.setFlash(c, "retried")
	if id, err := uuid.Parse(formValue(c, "purchase_id")); err == nil {
		return redirect(c, adminPurchasePath(c, id))
	}
	return redirect(c, localPath(c, "/admin/events"))
}

// showEvents is GET /{locale}/admin/events: the last delivery, open events, the last reconciliation, and every event.
func (h *Handler) showEvents(c *fiber.Ctx) error {
	f := h.parseFilter(c)
	data := pages.AdminEventsData{Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), ReadOnly: readOnly(c),
		Types: h.Webhook.Types()}
	statuses := []string{pages.StatusOpen}
	for _, s := range models.StripeEventStatuses() {
		statuses = append(statuses, string(s))
	}
	f.shown.Status, f.shown.Kind = f.choice("status", statuses), f.choice("kind", data.Types)
	after, err := eventCursor(c.Query("after"))
	if err != nil {
		return err
	}
	data.Filter = f.shown
	if f.status() == fiber.StatusOK {
		status, open := models.StripeEventStatus(f.shown.Status), f.shown.Status == pages.StatusOpen
		if open {
			status = ""
		}
		list, err := h.Webhook.Events(c.UserContext(), webhook.Query{Status: status, Open: open, Type: f.shown.Kind,
			From: f.from, Until: f.until,
			Object: f.shown.Object, After: after, Limit: entriesPerPage})
		if err != nil {
			return err
		}
		data.All, data.AllPurchases = list.Events, list.Purchases
		if list.Next != nil {
			data.Next = strconv.FormatInt(list.Next.Received.UnixMicro(), 10) + "." + list.Next.EventID
		}
	}
	data.Further = c.Query("after") != ""
	if data.Alone = data.Further || f.shown.Set() || len(f.shown.Errors) > 0; !data.Alone {
		if err := h.openEvents(c, &data); err != nil {
			return err
		}
	}
	return h.render(c, f.status(), "admin_events.title", pages.AdminEvents(data))
}

// maxOpenEvents is how many open events the page lists.
const maxOpenEvents = 100

// openEvents adds what needs a person, and the last reconciliation.
func (h *Handler) openEvents(c *fiber.Ctx, data *pages.AdminEventsData) error {
	overview, err := h.Webhook.Overview(c.UserContext(), maxOpenEvents)
	if err != nil {
		return err
	}
	data.LastReceived, data.Open, data.Purchases, data.MoreOpen = overview.LastReceived, overview.Open, overview.Purchases,
		overview.MoreOpen
	after := max(parseDigits(c.Query("findings")), 0)
	last, err := h.Reconcile.Last(c.UserContext(), after, findingsPerPage)
	if err == nil && last != nil {
		data.Last, data.Findings, data.Found, data.NextFinding, data.FurtherFindings = &last.Reconciliation, last.Findings,
			last.Found, last.Next, after > 0
	}
	return err
}

// lastMoment is the latest time that PostgreSQL and Go both represent.
// Units: microseconds since 1970.
var lastMoment = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// eventCursor parses the cursor of the events list.
func eventCursor(text string) (webhook.Cursor, error) {
	if text == "" {
		return webhook.Cursor{}, nil
	}
	micros, id, ok := strings.Cut(text, ".")
	at := parseDigits(micros)
	if !ok || at < 0 || id == "" || len(id) > maxObject || !models.Storable(id) || at > lastMoment {
		return webhook.Cursor{}, fault.Field("after", fault.CursorInvalid)
	}
	return webhook.Cursor{Received: time.UnixMicro(at), EventID: id}, nil
}
