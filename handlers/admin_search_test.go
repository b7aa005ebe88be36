package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// An id that names one thing leads to its page; text lists the users who match.
func TestSearchLeadsToAnID(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss := f.member(f.users["admin"])
	buyer := fmt.Sprintf("/en/admin/users/%d", f.users["owner"])
	var p struct {
		ID      string
		Number  int64
		Invoice string
	}
	err := f.db.Raw(`SELECT p.id, p.number, (SELECT id FROM stripe_sandbox.objects WHERE kind = 'invoice') AS invoice
		FROM purchases p`).Scan(&p).Error
	if err != nil || p.Invoice == "" {
		t.Fatalf("purchase %+v, %v, want one with an invoice", p, err)
	}
	purchase := "/en/admin/purchases/" + p.ID
	for text, want := range map[string]string{
		fmt.Sprintf("RM-%d", p.Number): purchase, p.ID: purchase, p.Invoice: purchase, "evt_1": "/en/admin/events?q=evt_1",
		fmt.Sprintf("#%d", f.users["owner"]): buyer, f.paths.Replace("{hold}"): buyer + "#holds",
		f.paths.Replace("{withdrawal}"): buyer + "#withdrawals",
	} {
		r, _ := boss.open("/en/admin?q=" + url.QueryEscape(text))
		if got := r.header.Get("Location"); r.status != 303 || got != want {
			t.Errorf("search for %q: status %d to %q, want 303 to %q", text, r.status, got, want)
		}
	}
	for text, want := range map[string]string{
		"da@EXAMPLE": "ada@example.org", "in_unknown": "", "req_": "", "req_unknown": "", "%": "", "'": "", "<b>": "",
	} {
		r, doc := boss.open("/en/admin?q=" + url.QueryEscape(text))
		found := doc.Find("#found").Text()
		if strings.Contains(found, "This request changed nothing") {
			t.Errorf("search for %q: found %q, want nothing about a request", text, found)
		}
		if r.status != 200 || !strings.Contains(found, want) || want == "" && !strings.Contains(found, "Nothing found") {
			t.Errorf("search for %q: status %d, found %q, want %q", text, r.status, found, want)
		}
	}
	for text, want := range map[string]string{"ad": "ada@example.org", "da": "at least three"} {
		if _, doc := boss.open("/en/admin?q=" + text); !strings.Contains(doc.Find("#found").Text(), want) {
			t.Errorf("search for %q: found %q, want %q", text, doc.Find("#found").Text(), want)
		}
	}
	if _, doc := boss.open("/en/admin?q=example"); !strings.HasPrefix(doc.Find("title").Text(), "Search for “example” ·") {
		t.Errorf("title of a search = %q, want what it searches for", doc.Find("title").Text())
	}
	if _, doc := boss.open("/en/admin?q=da@EXAMPLE"); doc.Find("#found ~ #open-withdrawals").Length() != 1 ||
		doc.Find("#found .sort").Length() != 0 {
		t.Error("search that finds one user: want the user before the open withdrawals, without an order")
	}
	if _, doc := boss.open("/en/admin"); doc.Find("#open-withdrawals ~ #found .sort").Length() == 0 {
		t.Error("no search: want the users after the open withdrawals, with an order")
	}
	whole := boss.call("GET", "/healthz", "").header.Get("X-Request-ID")
	for _, text := range []string{whole, " " + whole + " "} {
		if _, doc := boss.open("/en/admin?q=" + url.QueryEscape(text)); !strings.Contains(doc.Find("#found").Text(),
			"This request changed nothing") {
			t.Errorf("search for %q: found %q, want that the request changed nothing", text, doc.Find("#found").Text())
		}
	}
	if r, doc := boss.open("/en/admin?q=" + strings.Repeat("x", 10_000)); r.status != 422 ||
		doc.Find("#q-error").Length() != 1 {
		t.Errorf("search for 10,000 characters: status %d, want 422 with an error beside the field", r.status)
	}
}
