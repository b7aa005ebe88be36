package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// A mail program unsubscribes by a POST without session, token or cookie. Opening the address changes nothing.
func TestUnsubscribeWithOneClick(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := f.user("ada@example.com", 0)
	var id string
	err := f.db.Raw(`INSERT INTO letters (id, kind, key, user_id, locale) VALUES (gen_random_uuid(), 'low_balance', 'x', ?, 'de')
		RETURNING id`, ada.ID).Scan(&id).Error
	if err != nil {
		t.Fatal(err)
	}
	wantRefused := func(when string, want int) {
		t.Helper()
		if kinds, err := f.handler.Mail.Refusals(t.Context(), ada.ID); err != nil || len(kinds) != want {
			t.Errorf("%s: refused kinds = %v (%v), want %d", when, kinds, err, want)
		}
	}
	address := "/de/letters/" + id + "/unsubscribe"
	if r := f.call("GET", address, ""); r.status != 200 || !strings.Contains(r.body, "<form") {
		t.Errorf("GET: status %d, want 200 and a form", r.status)
	}
	wantRefused("after a GET", 0)
	for range 2 {
		r := f.call("POST", address, "List-Unsubscribe=One-Click", "Content-Type: application/x-www-form-urlencoded")
		if r.status != 200 || !strings.Contains(r.body, `id="unsubscribed"`) {
			t.Errorf("POST: status %d, want 200 and the confirmation, without a redirect", r.status)
		}
	}
	wantRefused("after a POST", 1)

	page := f.member(ada.ID)
	if _, doc := page.open("/de/account"); doc.Find("#letter-low_balance[checked]").Length() != 0 {
		t.Error("the account page shows the letter as wanted")
	}
	if r := page.post("/de/account/letters", url.Values{string(models.LetterLowBalance): {"on"}}); r.status != 303 {
		t.Errorf("saving the letters: status %d, want 303", r.status)
	}
	wantRefused("after subscribing again", 0)
}
