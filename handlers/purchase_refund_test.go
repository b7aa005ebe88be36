package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// paid is a buyer's purchase of 500 credits for €20.00, some days ago, in a shop that refunds unused credits.
func (f *fixture) paid(userID int64, days int) models.Purchase {
	f.t.Helper()
	if f.handler.Purchase == nil {
		f.sell()
		f.handler.Purchase.Goodwill = purchase.Goodwill{Days: 30, Percent: 1}
	}
	p := f.order(userID, "order")
	f.play(p, "pay", "card")
	err := f.db.Exec(`UPDATE purchases SET created_at = created_at - make_interval(days => @days),
		paid_at = paid_at - make_interval(days => @days) WHERE id = @id`, map[string]any{"days": days, "id": p.ID}).Error
	if err != nil {
		f.t.Fatal(err)
	}
	return f.purchase(userID, p.ID.String())
}

// hidden returns the fields of the form with the button, as the page filled them in.
func hidden(doc *goquery.Document, button string) url.Values {
	form := url.Values{}
	doc.Find(button).Closest("form").Find(`[type="hidden"]`).Each(func(_ int, s *goquery.Selection) {
		form.Set(s.AttrOr("name", ""), s.AttrOr("value", ""))
	})
	return form
}

// A buyer sees what is refunded, confirms it once, and then what became of it. A form with another amount changes
// nothing.
func TestBuyerHasUnusedCreditsRefunded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := f.user("ada@example.com", 0)
	page := "/de/purchase/" + f.paid(ada.ID, 20).ID.String()
	her := f.member(ada.ID)
	if _, doc := her.open(page); doc.Find("#ask-refund").AttrOr("href", "") != page+"/refund" ||
		doc.Find("#withdraw").Length() != 0 {
		t.Fatalf("the purchase offers %q, want its refund alone", doc.Find("#content").Text())
	}
	_, doc := her.open(page + "/refund")
	if text := doc.Find("#content").Text(); !strings.Contains(text, "20,00") || !strings.Contains(text, "500") {
		t.Errorf("the question is %q, want 20,00 € for 500 credits", text)
	}
	form := hidden(doc, "#refund-unused")
	changed := url.Values{"idempotency_key": {"other"}, "credits": form["credits"], "cents": {"100"}}
	if r := her.post(page+"/refund", changed); r.status != 409 || !strings.Contains(r.body, "Betrag hat sich geändert") {
		t.Errorf("a form over another amount: status %d, want 409 and the amount of now", r.status)
	}
	if bob := f.member(f.user("bob@example.com", 0).ID); bob.post(page+"/refund", form).status != 404 {
		t.Error("another user can have the purchase refunded")
	}
	form = hidden(doc, "#refund-unused")
	for range 2 {
		if r := her.post(page+"/refund", form); r.status != 303 || r.header.Get("Location") != page {
			t.Fatalf("request: status %d to %s, want 303 to the purchase", r.status, r.header.Get("Location"))
		}
	}
	_, doc = her.open(page)
	if text := doc.Find("#standing").Text(); !strings.Contains(text, "20,00") || doc.Find("#ask-refund").Length() != 0 {
		t.Errorf("the purchase says %q, want what was refunded, and no further offer", text)
	}
	var user models.User
	if err := f.db.Take(&user, ada.ID).Error; err != nil || user.CreditsBalance != 0 || user.CreditsHeld != 0 {
		t.Errorf("balance %d with %d held (%v), want none", user.CreditsBalance, user.CreditsHeld, err)
	}
	if r, _ := her.open(page + "/refund"); r.status != 303 {
		t.Errorf("the question once nothing is left: status %d, want 303 to the purchase", r.status)
	}
}

// Within the withdrawal period, a user withdraws in the step that deletes the account.
func TestDeletionWithdrawsFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada := f.user("ada@example.com", 0)
	p := f.paid(ada.ID, 1)
	her := f.member(ada.ID)
	_, doc := her.open("/en/account/delete")
	form := hidden(doc, "#delete-account")
	if text := doc.Find("#confirm").Text(); !strings.Contains(text, "€20.00") || form.Get("offers") == "" ||
		doc.Find("#lapses").Length() != 0 {
		t.Fatalf("the page says %q, want a refund of €20.00, and that nothing lapses", text)
	}
	form.Set("sure", "yes")
	if r := her.post("/en/account/delete", form); r.status != 422 || !strings.Contains(r.body, `id="refund-error"`) {
		t.Errorf("without a choice: status %d, want 422 with an error at the choice", r.status)
	}
	form.Set("refund", "yes")
	form.Set("offers", "1/1")
	if r := her.post("/en/account/delete", form); r.status != 409 || !strings.Contains(r.body, `id="deletion-error"`) {
		t.Errorf("over another amount: status %d, want 409 with what is offered now", r.status)
	}
	form.Set("offers", hidden(doc, "#delete-account").Get("offers"))
	if r := her.post("/en/account/delete", form); r.status != 303 {
		t.Fatalf("delete: status %d, want 303: %s", r.status, r.body)
	}
	var w models.Withdrawal
	var user models.User
	if err := f.db.Take(&w, "purchase_id = ?", p.ID).Error; err != nil || w.Email != "ada@example.com" || w.Reworded {
		t.Errorf("withdrawal = %+v (%v), want one of the purchase as we describe it", w, err)
	}
	if err := f.db.Take(&user, ada.ID).Error; err != nil || user.DeletedAt == nil || user.CreditsBalance != 500 {
		t.Errorf("account deleted at %v with %d credits (%v), want it deleted with the credits of the refund",
			user.DeletedAt, user.CreditsBalance, err)
	}
}
