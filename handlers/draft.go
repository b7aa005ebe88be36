package handlers

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	draftCookie  = "draft"
	draftPurpose = "form draft"
	paramDraft   = "draft"
	draftLife    = 15 * time.Minute
	draftFields  = 50 // of a posted form; ours have fewer
)

// draft is what a visitor typed into a form that could not be carried out yet: they must sign in or reauthenticate, or
// see a summary first. It travels sealed in a cookie, because addresses end up in logs and histories. A browser keeps
// the latest.
type draft struct {
	ID     string            `json:"id"`     // names it in the address of its page
	Page   string            `json:"page"`   // the path of the page that has the form, without the language
	Form   string            `json:"form"`   // the rest of the path that the form posts to
	Fields map[string]string `json:"fields"` // by name
	User   int64             `json:"user"`   // who typed it; 0 for a visitor who was signed out
	Until  int64             `json:"until"`  // Unix time
}

// undrafted are the fields that no draft has: they are valid once, or express consent.
var undrafted = map[string]bool{"_csrf": true, "idempotency_key": true, "seen": true, "sure": true, "offers": true,
	"confirmed": true, "consent_early_start": true, "consent_compensation": true}

// saveDraft stores what was typed into the posted form and returns the address of the page that shows it again. It
// drops the longest value when the cookie gets too long, and all of them if that does not help or there are more than
// draftFields.
func (h *Handler) saveDraft(c *fiber.Ctx) string {
	page, query := pagePath(c, pageLocale(c))
	page = strings.TrimSuffix(page, "/export.zip") // the page that links to the export
	address := "/" + pageLocale(c) + page
	if query != "" {
		return address + "?" + query
	}
	if c.Request().PostArgs().Len() > draftFields {
		return address
	}
	d := draft{ID: rand.Text()[:12], Page: page, Fields: map[string]string{}, User: currentUserID(c),
		Until: time.Now().Add(draftLife).Unix()}
	if action, below := strings.CutPrefix(c.Path(), address+"/"); below {
		d.Form = action
	}
	longest := ""
	for key := range c.Request().PostArgs().All() {
		name := string(key)
		if !undrafted[name] {
			d.Fields[name] = formValue(c, name)
		}
		if len(d.Fields[name]) > len(d.Fields[longest]) {
			longest = name
		}
	}
	name := h.Sessions.cookieName(draftCookie)
	sealed := h.sealDraft(d)
	if len(name)+len(sealed) > maxCookie {
		delete(d.Fields, longest)
		sealed = h.sealDraft(d)
	}
	if len(d.Fields) == 0 || len(name)+len(sealed) > maxCookie {
		return address
	}
	h.Sessions.setCookie(c, name, sealed, int(draftLife.Seconds()))
	return address + "?" + paramDraft + "=" + d.ID
}

func (h *Handler) sealDraft(d draft) string {
	plain, err := json.Marshal(d)
	if err != nil {
		panic(err) // texts and a number always encode
	}
	return h.Sessions.secrets.Seal(draftPurpose, plain)
}

// loadDraft returns the draft that the requested page's address names, or an empty one. No user sees another's.
func (h *Handler) loadDraft(c *fiber.Ctx) (d draft) {
	id := c.Query(paramDraft)
	if id == "" {
		return draft{}
	}
	plain, ok := h.Sessions.secrets.Open(draftPurpose, c.Cookies(h.Sessions.cookieName(draftCookie)))
	page, _ := pagePath(c, pageLocale(c))
	if !ok || json.Unmarshal(plain, &d) != nil || d.ID != id || d.Page != page || time.Now().Unix() > d.Until ||
		d.User != 0 && d.User != currentUserID(c) {
		return draft{}
	}
	return d
}

// of reports whether the draft belongs to the form that posts to action, a path below the page; "" is the page's own.
func (d draft) of(action string) bool { return d.ID != "" && d.Form == action }

// value returns what was typed into a field.
func (d draft) value(name string) string { return d.Fields[name] }
