package views_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// adminPurchase returns the admin's page of a purchase with every kind of detail.
func adminPurchase(locale string) pages.AdminPurchaseData {
	p := samplePurchase()
	p.CheckoutSessionID, p.PaymentIntentID, p.PaidCents, p.PaidCurrency = "cs_test_"+
		strings.Repeat("a1", 29), "pi_example", 4000, "chf"
	p.CreditsRefunded, p.CreditsDisputed = 250, 1
	d := pages.AdminPurchaseData{Locale: locale, CSRF: "token", User: sampleUser(), Purchase: p, Events: sampleEvents(),
		Entries: sampleEntries(),
		Waits:   []string{"checkout", "payment", "bank", "review", "refund_send", "refund", "refund_list", "dispute"},
		Form: pages.RefundForm{Key: "k", Seen: 1000, Left: 3000, Unused: 700, Proposal: 2800, Cents: 2800, Takes: 700,
			After: -20}}
	for i, status := range models.RefundStatuses() {
		d.Refunds = append(d.Refunds, models.StripeRefund{RefundID: fmt.Sprint("re_", i), Amount: 1000, Currency: "chf",
			Status: status, UpdatedAt: noon})
	}
	d.Refunds[3].FailureReason, d.Refunds[4].FailureReason = "expired_or_canceled_card", "something_new"
	for i, status := range models.DisputeStatuses() {
		d.Disputes = append(d.Disputes, models.StripeDispute{DisputeID: fmt.Sprint("dp_", i), Amount: 4000, Currency: "chf",
			Status: status, UpdatedAt: noon})
	}
	boss := int64(3)
	for _, status := range models.RefundRequestStatuses() {
		d.Requests = append(d.Requests, models.RefundRequest{AmountCents: 1000, Status: status, ActorID: &boss, Note: hostile,
			CreatedAt: noon, NextAttemptAt: noon})
	}
	d.Requests[0].ActorID, d.Requests[1].RefundID = nil, "re_0"
	d.Requests[2].LastError = models.CauseRefused.Of("charge_disputed")
	return d
}

func reconciled(locale string, change func(*models.Reconciliation), findings ...models.Finding) pages.AdminEventsData {
	r := models.Reconciliation{ID: 1, Step: models.ReconcileRefunds, Checked: 1234567, StartedAt: noon}
	change(&r)
	return pages.AdminEventsData{Locale: locale, CSRF: "token", Open: sampleEvents(),
		Purchases: map[string]uuid.UUID{"evt_failed": buyID}, Last: &r, Findings: findings}
}

func moneySamples(locale string) []sample {
	var all []sample
	for _, status := range models.PurchaseStatuses() {
		d := adminPurchase(locale)
		d.Purchase.Status, d.Form = status, pages.RefundForm{}
		all = append(all, sample{"admin purchase, " + string(status), pages.AdminPurchase(d),
			[]string{"no-refund", "check", "waits"}})
	}
	free := adminPurchase(locale)
	free.Purchase.PaymentIntentID, free.Form.Left, free.Waits, free.Events = "", 0, nil, nil
	refused := adminPurchase(locale)
	refused.Form.Typed, refused.Form.Note, refused.Form.Errors = "x", hostile, map[string]string{"amount": "a",
		"note": "b"}
	moved, unmoved := adminPurchase(locale), adminPurchase(locale)
	moved.Move = pages.MoveForm{To: "b\u043ess@example.com", Note: hostile}
	moved.Entries = append(moved.Entries, models.CreditTransaction{ID: 99, UserID: 5, DeltaCredits: -250,
		Reason: models.ReasonManual, CreatedAt: noon,
		Meta: models.Meta{PurchaseID: buyID.String(), Counterpart: 7}})
	unmoved.Move.Errors = map[string]string{"to": "a", "note": "b", "": "c"}
	spent := adminPurchase(locale)
	spent.Form = pages.RefundForm{Left: 3000}
	var findings []models.Finding
	user, id := int64(7), buyID
	for i, kind := range models.FindingKinds() {
		findings = append(findings, models.Finding{ID: int64(i), Kind: kind, ObjectID: "cs_test_1", PurchaseID: &id,
			Credits: 500, Note: models.CauseFailed.Of(hostile)})
	}
	findings[3].PurchaseID, findings[3].UserID, findings[4].Credits = nil, &user, 0
	done := noon.Add(time.Minute)
	return append(all,
		sample{"admin purchase", pages.AdminPurchase(adminPurchase(locale)),
			[]string{"refund-submit", "amount", "note", "takes", "rest", "buyer", "requests", "refunds", "disputes"}},
		sample{"out of credits", pages.OutOfCredits(pages.Shortage{Title: hostile, Text: "Why", Offer: "100 credits",
			URL: "/de/purchase?package=100", Buy: "Buy", Decline: "Later"}, "/"), []string{"offer", "buy", "later"}},
		sample{"admin purchase, free", pages.AdminPurchase(free), []string{"no-refund"}},
		sample{"admin purchase, refused", pages.AdminPurchase(refused), []string{"amount-error", "note-error"}},
		sample{"admin purchase, moved", pages.AdminPurchase(moved), []string{"move-to", "move-submit"}},
		sample{"summary", pages.Summary(pages.SummaryData{Locale: locale, CSRF: "token", Heading: hostile, Final: true,
			Facts: [][2]string{{"Who", hostile}}, Action: "/x", Fields: []pages.ResendField{{Name: "note", Value: hostile}},
			Submit: hostile, Back: "/y"}), []string{"summary", "summary-final", "confirm", "summary-back"}},
		sample{"admin purchase, not moved", pages.AdminPurchase(unmoved),
			[]string{"move-to-error", "move-note-error", "move-error"}},
		sample{"admin purchase, spent", pages.AdminPurchase(spent), []string{"amount", "rest"}},
		sample{"events, reconciling", pages.AdminEvents(reconciled(locale, func(*models.Reconciliation) {})),
			[]string{"reconcile", "reconciliation-state"}},
		sample{"events, stopped",
			pages.AdminEvents(reconciled(locale,
				func(r *models.Reconciliation) { r.LastError = models.CauseNoAnswer })), []string{"reconcile"}},
		sample{"events, stopped by a fault",
			pages.AdminEvents(reconciled(locale,
				func(r *models.Reconciliation) { r.LastError = models.CauseUnknown.Of(hostile) })),
			[]string{"reconcile"}},
		sample{"events, reconciled",
			pages.AdminEvents(reconciled(locale, func(r *models.Reconciliation) { r.FinishedAt = &done }, findings...)),
			[]string{"reconcile"}},
		sample{"events, nothing found",
			pages.AdminEvents(reconciled(locale, func(r *models.Reconciliation) { r.FinishedAt = &done })),
			[]string{"reconcile"}})
}

func TestRefundFormExplainsItself(t *testing.T) {
	t.Parallel()
	d := adminPurchase("en")
	d.Purchase.CreditsGranted, d.Purchase.PaidCents, d.Purchase.PaidCurrency = 1200, 3500, "eur"
	d.Form = pages.RefundForm{Key: "k", Seen: 7, Left: 3500, Unused: 700, Proposal: 2042, Cents: 2042, Takes: 700,
		After: 0}
	for _, c := range []struct{ locale, value, proposal, takes string }{
		{"en", "20.42", "700 of 1,200\u00a0credits are unused; their share of €35.00 is €20.42.",
			"A refund of €20.42 deducts 700\u00a0credits. Balance afterwards: 0\u00a0credits."},
		{"de", "20,42", "700 von 1.200\u00a0Credits sind unverbraucht; ihr Anteil an 35,00\u00a0€ beträgt 20,42\u00a0€.",
			"Bei einer Erstattung von 20,42\u00a0€ werden 700\u00a0Credits zurückgenommen. Guthaben danach: 0\u00a0Credits."},
	} {
		d.Locale = c.locale
		_, doc := document(t, samplePage(c.locale), pages.AdminPurchase(d))
		if got := doc.Find("#proposal p").First().Text(); got != c.proposal {
			t.Errorf("proposal = %q, want %q", got, c.proposal)
		}
		if got := doc.Find("#takes").Text(); got != c.takes {
			t.Errorf("takes = %q, want %q", got, c.takes)
		}
		if got := doc.Find("#amount").AttrOr("value", ""); got != c.value {
			t.Errorf("amount = %q, want %q", got, c.value)
		}
		if doc.Find(`form[action$="/refund"] input[name=seen]`).AttrOr("value", "") != "7" ||
			doc.Find(`form[action$="/refund"]`).AttrOr("hx-disabled-elt", "") == "" {
			t.Error("the form lacks the refunds seen, or can be sent twice")
		}
	}
	d.Form.After, d.Form.Cents = -500, 3500
	_, doc := document(t, samplePage("en"), pages.AdminPurchase(d))
	if text := doc.Find("#takes").Text(); !strings.Contains(text, "below zero, to −500\u00a0credits") {
		t.Errorf("takes = %q, want the debt", text)
	}
	if doc.Find("#rest").Length() != 0 || doc.Find("#unused").Length() != 1 {
		t.Error("a refund of the rest does not link back to the proposal alone")
	}
}

func TestRefusedRefundShowsTheReason(t *testing.T) {
	t.Parallel()
	_, doc := document(t, samplePage("en"), pages.AdminPurchase(adminPurchase("en")))
	if text := doc.Find("#requests").Text(); !strings.Contains(text, "reversed the payment after a dispute") {
		t.Errorf("requests = %s, want the reason in them", text)
	}
}

func TestReconciliationPollsOnlyWhileItRuns(t *testing.T) {
	t.Parallel()
	_, doc := document(t, samplePage("de"), pages.AdminEvents(reconciled("de", func(*models.Reconciliation) {})))
	state := doc.Find("#reconciliation-state")
	if state.AttrOr("hx-get", "") != "/de/admin/events" || state.AttrOr("hx-trigger", "") != "every 2s" ||
		state.AttrOr("hx-select", "") != "#reconciliation-state" || !strings.Contains(state.Text(), "Läuft") {
		t.Error("a running reconciliation does not poll")
	}
	_, doc = document(t, samplePage("de"),
		pages.AdminEvents(reconciled("de", func(r *models.Reconciliation) { r.FinishedAt = &noon })))
	if doc.Find("[hx-get]").Length() != 0 {
		t.Error("a finished reconciliation still polls")
	}
}

func TestEventLinksToItsPurchase(t *testing.T) {
	t.Parallel()
	_, doc := document(t, samplePage("de"), pages.AdminEvents(reconciled("de", func(*models.Reconciliation) {})))
	if n := doc.Find(`a[href="/de/admin/purchases/` + buyID.String() + `"]`).Length(); n != 1 {
		t.Errorf("%d links to the purchase, want 1", n)
	}
}

func TestAuditIsReadable(t *testing.T) {
	t.Parallel()
	user := int64(7)
	detail, _ := json.Marshal(map[string]any{"cents": 2042, "currency": "eur", "note": "asked for", "purchase_id": buyID,
		"refund_request": uuid.Nil})
	entries := []models.AuditEntry{{ID: 1, Actor: "admin", ActorID: &user, UserID: &user, Action: "purchase.refund",
		Detail: detail, CreatedAt: noon},
		{ID: 2, Actor: "unknown", Action: "something.new", Detail: json.RawMessage(`{"odd_name":1,"cents":5}`),
			CreatedAt: noon}}
	_, doc := document(t, samplePage("de"), pages.AdminAudit(pages.AdminAuditData{Locale: "de", Entries: entries,
		People: map[int64]models.User{7: {ID: 7, Name: "Ada"}}}))
	row := doc.Find("tbody tr").First().Text()
	for _, want := range []string{"Geld erstattet", "Betrag20,42\u00a0€", "Begründungasked for", "Administrator", "Ada"} {
		if !strings.Contains(row, want) {
			t.Errorf("entry = %s, want %q in it", row, want)
		}
	}
	if doc.Find(`tbody a[href="/de/admin/purchases/`+buyID.String()+`"]`).Length() != 1 {
		t.Error("the entry does not link to its purchase")
	}
	if text := doc.Find("tbody tr").Last().Text(); !strings.Contains(text, "something.new") ||
		!strings.Contains(text, "odd name") || !strings.Contains(text, "cents") {
		t.Errorf("an action without a text = %s, want its raw names", text)
	}
}
