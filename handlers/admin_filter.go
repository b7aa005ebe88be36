package handlers

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	maxObject       = 255 // characters of an id that is searched for
	findingsPerPage = 50
)

// adminFilter reads the filter of a list from the address. What cannot be used is told beside its field, and the rest
// of what was typed is kept.
type adminFilter struct {
	h     *Handler
	c     *fiber.Ctx
	shown pages.ListFilter

	from, until time.Time
}

func (h *Handler) filterOf(c *fiber.Ctx) *adminFilter {
	f := &adminFilter{h: h, c: c, shown: pages.ListFilter{Errors: map[string]string{}}}
	f.shown.From, f.from = f.day("from")
	f.shown.Until, f.until = f.day("until")
	switch {
	case f.until.IsZero():
	case f.until.Before(f.from):
		f.refuse("until", fault.DaysReversed)
	default:
		f.until = models.DayBegins(f.until.Year(), f.until.Month(), f.until.Day()+1, f.until.Location()) // the last day belongs to it
	}
	f.shown.Object = f.text("q")
	return f
}

func (f *adminFilter) refuse(field string, problem fault.Problem) {
	f.shown.Errors[field] = f.h.message(f.c.UserContext(), fault.Field(field, problem))
}

func (f *adminFilter) status() int {
	if len(f.shown.Errors) > 0 {
		return answers[fault.Invalid].status
	}
	return fiber.StatusOK
}

// day reads a day of the visitor's calendar.
func (f *adminFilter) day(field string) (string, time.Time) {
	typed := f.text(field)
	if typed == "" {
		return "", time.Time{}
	}
	day, err := time.Parse(time.DateOnly, typed)
	if err != nil || day.Year() < 1970 {
		f.refuse(field, fault.DayInvalid)
		return typed, time.Time{}
	}
	return typed, models.DayBegins(day.Year(), day.Month(), day.Day(), components.Zone(f.c.UserContext()))
}

func (f *adminFilter) text(field string) string {
	typed := strings.TrimSpace(strings.ToValidUTF8(f.c.Query(field), "\uFFFD"))
	if utf8.RuneCountInString(typed) <= maxObject && !strings.ContainsFunc(typed, unicode.IsControl) {
		return typed
	}
	f.refuse(field, fault.SearchInvalid)
	typed = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, typed)
	if runes := []rune(typed); len(runes) > maxObject {
		typed = string(runes[:maxObject])
	}
	return typed
}

// choice reads one of what is offered, or nothing.
func (f *adminFilter) choice(field string, offered []string) string {
	typed := f.text(field)
	if typed == "" || slices.Contains(offered, typed) {
		return typed
	}
	f.refuse(field, fault.ChoiceUnknown)
	return ""
}

// showEvents is GET /{locale}/admin/events: when Stripe last wrote, what waits or needs a person, and every event.
func (h *Handler) showEvents(c *fiber.Ctx) error {
	f := h.filterOf(c)
	data := pages.AdminEventsData{Locale: pageLocale(c), CSRF: currentVisitor(c).token, Types: h.Webhook.Types()}
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
		list, err := h.Webhook.Events(c.UserContext(), webhook.Query{Status: status, Open: open, Type: f.shown.Kind, From: f.from, Until: f.until,
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

// openEvents adds what needs a person, and the last reconciliation.
func (h *Handler) openEvents(c *fiber.Ctx, data *pages.AdminEventsData) error {
	overview, err := h.Webhook.Overview(c.UserContext(), openEvents)
	if err != nil {
		return err
	}
	data.LastReceived, data.Open, data.Purchases, data.MoreOpen = overview.LastReceived, overview.Open, overview.Purchases, overview.MoreOpen
	after := max(wholeNumber(c.Query("findings")), 0)
	last, err := h.Reconcile.Last(c.UserContext(), after, findingsPerPage)
	if err == nil && last != nil {
		data.Last, data.Findings, data.Found, data.NextFinding, data.FurtherFindings = &last.Reconciliation, last.Findings, last.Found, last.Next, after > 0
	}
	return err
}

// lastMoment is the last that the database and we agree on, in microseconds.
var lastMoment = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// eventCursor reads where a page of events begins.
func eventCursor(text string) (webhook.Cursor, error) {
	if text == "" {
		return webhook.Cursor{}, nil
	}
	micros, id, ok := strings.Cut(text, ".")
	at := wholeNumber(micros)
	if !ok || at < 0 || id == "" || len(id) > maxObject || !models.Storable(id) || at > lastMoment {
		return webhook.Cursor{}, fault.Field("after", fault.CursorInvalid)
	}
	return webhook.Cursor{Received: time.UnixMicro(at), EventID: id}, nil
}

// showAudit is GET /{locale}/admin/audit.
func (h *Handler) showAudit(c *fiber.Ctx) error {
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	f := h.filterOf(c)
	f.shown.Kind, f.shown.User = f.choice("kind", models.Actions()), f.text("user")
	data := pages.AdminAuditData{Locale: pageLocale(c), Filter: f.shown, Further: cursor != 0}
	if f.status() == fiber.StatusOK {
		data.Entries, data.Next, err = h.Admin.Audit(c.UserContext(), admin.AuditQuery{Action: f.shown.Kind, User: f.shown.User, From: f.from, Until: f.until,
			Object: f.shown.Object, Before: cursor, Limit: entriesPerPage})
		if err != nil {
			return err
		}
	}
	return h.render(c, f.status(), "admin_audit.title", pages.AdminAudit(data))
}
