package handlers

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/webhook"
)

// An admin sees what a withdrawal entitles to and until when, refunds it with one button, and can undo the closing.
// The dossier of the purchase shows all of it.
func TestAdminHandlesAWithdrawal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	f.handler.Webhook = &webhook.Service{DB: f.db, Purchase: f.handler.Purchase, Now: models.Now,
		Log: slog.New(slog.DiscardHandler)}
	ada, boss := f.user("ada@example.com", 0), f.member(f.boss().ID)
	her := f.member(ada.ID)
	p := f.order(ada.ID, "order")
	f.play(p, "pay", "card")
	_, doc := her.open("/de/withdrawal?purchase=" + p.ID.String())
	declaration := url.Values{}
	for _, name := range []string{"idempotency_key", "purchase_id", "name", "email"} {
		declaration.Set(name, doc.Find(`#content [name="`+name+`"]`).AttrOr("value", "Ada"))
	}
	declaration.Set("name", "Ada")
	declaration.Set("contract", doc.Find(`#contract`).Text())
	if r := her.post("/de/withdrawal", declaration); r.status != 303 {
		t.Fatalf("declaration: status %d, want 303: %s", r.status, r.body)
	}
	_, doc = boss.open("/de/admin/withdrawals")
	button, facts := doc.Find(`[id^="refund-"]`), doc.Find("[data-entitlement]").Text()
	if button.Length() != 1 || !strings.Contains(button.Text(), "20,00") || !strings.Contains(facts, "Fällig am") ||
		doc.Find("[data-missing]").Length() != 0 {
		t.Fatalf("the list offers %q and says %q, want a refund of 20,00 € with its due date", button.Text(), facts)
	}
	token := url.Values{"_csrf": {doc.Find(`[name="_csrf"]`).AttrOr("value", "")}}
	action := strings.TrimSuffix(button.Closest("form").AttrOr("action", ""), "/refund")
	for _, page := range []string{"/de/admin/purchases/" + p.ID.String(), fmt.Sprintf("/de/admin/users/%d", ada.ID)} {
		if _, doc := boss.open(page); !strings.Contains(doc.Find("[data-entitlement]").Text(), "20,00") {
			t.Errorf("%s says %q about the withdrawal, want its sum", page, doc.Find("[data-entitlement]").Text())
		}
	}
	if r := boss.post(action+"/refund", token); r.status != 200 || !strings.Contains(r.body, "20,00\u00a0€ erstatten") {
		t.Fatalf("refund without a confirmation: status %d, want a summary", r.status)
	}
	confirmed := url.Values{"_csrf": token["_csrf"], "seen": {"2000"}, "confirmed": {"yes"}}
	stale := url.Values{"_csrf": token["_csrf"], "seen": {"1900"}, "confirmed": {"yes"}}
	if r := boss.post(action+"/refund", stale); r.status != 409 {
		t.Errorf("refund of another amount than the summary showed: status %d, want 409", r.status)
	}
	if r := boss.post(action+"/refund", confirmed); r.status != 303 {
		t.Fatalf("refund: status %d, want 303", r.status)
	}
	if _, doc := boss.open("/de/admin/withdrawals"); !strings.Contains(doc.Find("#content").Text(), "erstattet: 20,00") {
		t.Errorf("the list says %q, want what was refunded", doc.Find("#content").Text())
	}
	_, doc = boss.open("/de/admin/purchases/" + p.ID.String() + "/dossier")
	if letters := doc.Find("[data-letter]").Length(); letters != 3 {
		t.Errorf("the dossier has %d letters, want 3: order confirmed, withdrawal received, refunded", letters)
	}
	if r, _ := boss.open("/de/admin/purchases/" + p.ID.String() + "/dossier.html"); r.status != 200 ||
		!strings.Contains(r.header.Get("Content-Disposition"), p.Number.String()) ||
		!strings.Contains(r.body, "erstattet: 20,00") {
		t.Errorf("the file: status %d, %s, want a file with the sum", r.status, r.header.Get("Content-Disposition"))
	}
	if r := boss.post(action+"/reopen", token); r.status != 303 {
		t.Fatalf("reopen: status %d, want 303", r.status)
	}
	if _, doc := boss.open("/de/admin/withdrawals"); doc.Find(`[id^="close-"]`).Length() != 1 {
		t.Error("the reopened withdrawal cannot be closed, want it open again")
	}
}
