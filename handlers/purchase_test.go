package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/views/pages"
)

// order starts a purchase of 500 credits.
func (f *fixture) order(userID int64, key string) models.Purchase {
	f.t.Helper()
	var price models.Price
	if err := f.db.Where("credits_per_unit = 500").Take(&price).Error; err != nil {
		f.t.Fatal(err)
	}
	started, err := f.handler.Purchase.Start(context.Background(),
		purchase.Order{UserID: userID, PriceID: price.StripePriceID, Quantity: 1, Locale: "de", Key: key})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.purchase(userID, started.PurchaseID.String())
}

func (f *fixture) purchase(userID int64, id string) models.Purchase {
	f.t.Helper()
	p, err := f.handler.Purchase.Purchase(context.Background(), userID, id)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// play makes the stand-in act on a Checkout Session and refreshes the purchase.
func (f *fixture) play(p models.Purchase, action, method string) {
	f.t.Helper()
	u, err := url.Parse(p.CheckoutURL)
	if err != nil {
		f.t.Fatal(err)
	}
	u.Path = "/control/sessions/" + p.CheckoutSessionID + "/" + action
	if action == "fail" { // an action on payments only
		session, err := f.handler.Purchase.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, nil)
		if err != nil {
			f.t.Fatal(err)
		}
		u.Path = "/control/payments/" + session.PaymentIntent.ID + "/fail"
	}
	form := url.Values{}
	if method != "" {
		form.Set("method", method)
	}
	answer, err := http.PostForm(u.String(), form)
	if err != nil {
		f.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		f.t.Fatalf("%s = %d, want 200", action, answer.StatusCode)
	}
	f.handler.Purchase.RefreshSession(context.Background(), p.CheckoutSessionID)
}

func TestPurchasePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	ada, eve := f.user("ada@example.com", 0), f.user("eve@example.com", 0)
	her, other := f.member(ada.ID), f.member(eve.ID)
	p := f.order(ada.ID, "paid")
	page := "/de/purchase/" + p.ID.String()

	t.Run("links an unpaid order to Checkout", func(t *testing.T) {
		_, doc := her.open(page)
		if href, _ := doc.Find("#pay").Attr("href"); href != p.CheckoutURL || doc.Find("#receipt, #withdrawal").Length() > 0 {
			t.Errorf("#pay links to %q, want %q, without a receipt or a withdrawal", href, p.CheckoutURL)
		}
		_, doc = her.open("/de/billing?canceled=true")
		if href, _ := doc.Find("#resume").Attr("href"); href != p.CheckoutURL {
			t.Errorf("after canceling, #resume links to %q, want %q", href, p.CheckoutURL)
		}
		if r, _ := her.open(page + "/receipt"); r.status != http.StatusNotFound {
			t.Errorf("receipt = %d, want 404", r.status)
		}
	})
	f.play(p, "pay", "card")
	t.Run("links a paid order to the invoice", func(t *testing.T) {
		_, doc := her.open(page)
		link := doc.Find("#receipt")
		if href, _ := link.Attr("href"); href != page+"/receipt" || link.AttrOr("hx-boost", "") != "false" ||
			doc.Find("#pay, #again").Length() > 0 {
			t.Errorf("#receipt links to %q, want %q without htmx, #pay or #again", href, page+"/receipt")
		}
		r, _ := her.open(page + "/receipt")
		if to := r.header.Get("Location"); r.status != http.StatusSeeOther || !strings.Contains(to, "/invoices/in_") ||
			r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("receipt = %d to %q, want 303 to the invoice, not cached", r.status, to)
		}
		_, doc = her.open("/de/history")
		if doc.Find(`#content a[href="`+page+`/receipt"][hx-boost="false"]`).Length() != 1 {
			t.Error("the history does not link to the invoice")
		}
	})
	t.Run("answers 404 to other users", func(t *testing.T) {
		for _, path := range []string{page, page + "/receipt", "/de/withdrawal?purchase=" + p.ID.String()} {
			if r, _ := other.open(path); r.status != http.StatusNotFound {
				t.Errorf("%s = %d for another user, want 404", path, r.status)
			}
		}
		if r := f.call("GET", page+"/receipt", ""); r.status == http.StatusOK ||
			strings.Contains(r.header.Get("Location"), "/invoices/") {
			t.Errorf("receipt = %d to %q for a visitor, want no invoice", r.status, r.header.Get("Location"))
		}
	})
	t.Run("offers the next step in every final state", func(t *testing.T) {
		for status, way := range map[models.PurchaseStatus]struct{ action, method, wants string }{
			models.PurchaseExpired:         {"expire", "", "#again"},
			models.PurchaseAwaitingPayment: {"pay", "sepa_debit", "#withdraw"},
			models.PurchaseFailed:          {"pay", "sepa_debit", "#again"},
		} {
			q := f.order(ada.ID, string(status))
			f.play(q, way.action, way.method)
			if status == models.PurchaseFailed {
				f.play(q, "fail", "")
			}
			_, doc := her.open("/de/purchase/" + q.ID.String())
			if got := doc.Find("#standing").AttrOr("data-status", ""); got != string(status) ||
				doc.Find(way.wants).Length() != 1 {
				t.Errorf("%s: data-status = %q, want that status and one %s", status, got, way.wants)
			}
			if _, doc := her.open("/de/billing?success=true&session_id=" +
				q.CheckoutSessionID); doc.Find("#return-state .alert").Length() != 1 {
				t.Errorf("%s: the return page has no single alert", status)
			}
		}
	})
	t.Run("offers to retry when Stripe is unreachable", func(t *testing.T) {
		reachable := f.handler.Purchase.Stripe
		defer func() { f.handler.Purchase.Stripe = reachable }()
		f.handler.Purchase.Stripe = stripeapi.New("sk_test_0123456789abcdef", "http://127.0.0.1:9")
		r, doc := her.open(page + "/receipt")
		if href, _ := doc.Find("#error-retry").Attr("href"); r.status != http.StatusServiceUnavailable ||
			r.header.Get("Retry-After") == "" || href != page+"/receipt" {
			t.Errorf("receipt = %d, Retry-After %q, retry at %q; want 503 with seconds and the receipt", r.status,
				r.header.Get("Retry-After"), href)
		}
	})
}

func TestWithdrawal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	ada := f.user("ada@example.com", 0)
	her := f.member(ada.ID)
	p := f.order(ada.ID, "paid")
	f.play(p, "pay", "card")
	const form = "Content-Type: application/x-www-form-urlencoded"
	declare := url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "contract": {"500 <b>Credits</b> %{x}"},
		"idempotency_key": {"k"}}

	t.Run("accepts and confirms a declaration without a session", func(t *testing.T) {
		if r := f.call("GET", "/de/withdrawal", ""); r.status != http.StatusOK ||
			!strings.Contains(r.body, "Widerruf bestätigen") {
			t.Fatalf("form = %d, want 200 in German", r.status)
		}
		const promise = "senden wir die Bestätigung"
		if r := f.call("GET", "/de/withdrawal", ""); strings.Contains(r.body, promise) {
			t.Error("the form promises an e-mail without a mail server")
		}
		server, err := mail.NewServer("smtp://127.0.0.1:9")
		if err != nil {
			t.Fatal(err)
		}
		f.handler.Mail.Server = server
		if r := f.call("GET", "/de/withdrawal", ""); !strings.Contains(r.body, promise) {
			t.Error("the form does not say where the confirmation is sent")
		}
		r := f.call("POST", "/de/withdrawal", declare.Encode(), form)
		to := r.header.Get("Location")
		if r.status != http.StatusSeeOther || !strings.HasPrefix(to, "/de/withdrawal/") {
			t.Fatalf("declare = %d to %q, want 303 to the confirmation", r.status, to)
		}
		if again := f.call("POST", "/de/withdrawal", declare.Encode(), form); again.header.Get("Location") != to {
			t.Errorf("the same declaration again redirects to %q, want %q", again.header.Get("Location"), to)
		}
		if r := f.call("GET", to, ""); r.status != http.StatusOK ||
			!strings.Contains(r.body, "500 &lt;b&gt;Credits&lt;/b&gt; %{x}") || strings.Contains(r.body, "MISSING") {
			t.Errorf("confirmation = %d, want 200 with the escaped contract: %s", r.status, r.body)
		}
		r = f.call("GET", to+"/confirmation.txt", "")
		if r.header.Get("Content-Type") != "text/plain; charset=utf-8" ||
			!strings.HasPrefix(r.header.Get("Content-Disposition"), "attachment") ||
			!strings.Contains(r.body, "500 <b>Credits</b> %{x}") || !strings.Contains(r.body, "Eingegangen: ") {
			t.Errorf("text = %v %s, want a plain text file with the contract and the time", r.header, r.body)
		}
	})
	t.Run("keeps the input of an invalid form", func(t *testing.T) {
		wrong := url.Values{"name": {"Ada"}, "email": {"nowhere"}, "contract": {"all of it"}, "idempotency_key": {"k"}}
		r := f.call("POST", "/en/withdrawal", wrong.Encode(), form)
		if r.status != http.StatusUnprocessableEntity || !strings.Contains(r.body, `id="email-error"`) ||
			!strings.Contains(r.body, "all of it") {
			t.Errorf("declare = %d, want 422 with the contract and an error at the address", r.status)
		}
	})
	t.Run("refuses another site's form", func(t *testing.T) {
		if r := f.call("POST", "/de/withdrawal", declare.Encode(), form,
			"Origin: https://evil.example"); r.status != http.StatusForbidden {
			t.Errorf("declare = %d, want 403", r.status)
		}
	})
	t.Run("fills in a purchase and appears on its page", func(t *testing.T) {
		page, at := "/de/purchase/"+p.ID.String(), "/de/withdrawal?purchase="+p.ID.String()
		_, doc := her.open(page)
		if href, _ := doc.Find("#withdraw").Attr("href"); href != at {
			t.Fatalf("#withdraw links to %q, want %q", href, at)
		}
		_, doc = her.open(at)
		contract, email := doc.Find("#contract").Text(), doc.Find("#email").AttrOr("value", "")
		if !strings.Contains(contract, p.Number.String()) || email != "ada@example.com" {
			t.Errorf("the form has the contract %q and the address %q, want the purchase and its buyer", contract, email)
		}
		own := url.Values{"name": {"Ada"}, "email": {email}, "contract": {contract}, "purchase_id": {p.ID.String()},
			"idempotency_key": {"own"}}
		r := her.post("/de/withdrawal", own)
		received := r.header.Get("Location")
		if r.status != http.StatusSeeOther {
			t.Fatalf("declare = %d, want 303: %s", r.status, r.body)
		}
		_, doc = her.open(page)
		if doc.Find(`#withdrawal a[href="`+received+`"]`).Length() != 1 || doc.Find("#withdraw").Length() > 0 {
			t.Error("the purchase's page does not link to its withdrawal alone")
		}
		if r, _ := her.open(at); r.header.Get("Location") != received {
			t.Errorf("the form of a withdrawn purchase redirects to %q, want %q", r.header.Get("Location"), received)
		}
	})
	t.Run("hides the list from users", func(t *testing.T) {
		if r, _ := her.open("/de/admin/withdrawals"); r.status != http.StatusNotFound { // like every admin page
			t.Errorf("list = %d, want 404", r.status)
		}
	})
	t.Run("accepts any number and lists all of them", func(t *testing.T) {
		for i := range 60 {
			many := url.Values{"name": {fmt.Sprint("Flood ", i)}, "email": {"eve@example.org"}, "contract": {"all"},
				"idempotency_key": {fmt.Sprint(i)}}
			if r := f.call("POST", "/de/withdrawal", many.Encode(), form); r.status != http.StatusSeeOther {
				t.Fatalf("declaration %d = %d, want 303", i, r.status)
			}
		}
		boss, seen := f.member(f.boss().ID), map[string]bool{}
		for path := "/de/admin/withdrawals"; path != ""; {
			r, doc := boss.open(path)
			if r.status != http.StatusOK {
				t.Fatalf("%s = %d, want 200", path, r.status)
			}
			doc.Find("tbody form").Each(func(_ int, form *goquery.Selection) { seen[form.AttrOr("action", "")] = true })
			path = doc.Find("#next-page").AttrOr("href", "")
		}
		if len(seen) < 62 {
			t.Errorf("the pages list %d open declarations, want at least 62", len(seen))
		}
		for _, cursor := range []string{"x", "true.0.0", "maybe.0.0." + p.ID.String(), "true.9.0." + p.ID.String(),
			"true.0.-1." + p.ID.String(), "true.0.0.x"} {
			if r, _ := boss.open("/de/admin/withdrawals?after=" + cursor); r.status != http.StatusUnprocessableEntity {
				t.Errorf("after %s = %d, want 422", cursor, r.status)
			}
		}
	})
	t.Run("sends none of the declared text to an unverified address", func(t *testing.T) {
		all, _, err := f.handler.Withdrawal.List(t.Context(), withdrawal.Cursor{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		texts := f.handler.Site.Texts
		for _, w := range all {
			in, _ := texts.Context(t.Context(), w.Locale)
			w.OwnAddress = false
			letter := pages.WithdrawalLetter(in, w)
			if strings.Contains(letter, w.Contract) || strings.Contains(letter, w.Name) || strings.Contains(letter, w.Email) ||
				!strings.Contains(letter, w.ID.String()) {
				t.Errorf("letter = %q, want the id without contract, name and address", letter)
			}
			if w.PurchaseID != nil && !strings.Contains(letter, w.PurchaseNumber.String()) {
				t.Errorf("letter = %q, want it to name the purchase", letter)
			}
			w.OwnAddress = true
			if own := pages.WithdrawalLetter(in, w); !strings.Contains(own, w.Contract) {
				t.Errorf("letter to the account's own address = %q, want it to have the contract", own)
			}
		}
	})
	t.Run("answers 404 for an unknown id", func(t *testing.T) {
		for _, id := range []string{"1", strings.ToUpper(p.ID.String()), p.ID.String()} {
			if r := f.call("GET", "/de/withdrawal/"+id, ""); r.status != http.StatusNotFound {
				t.Errorf("%s = %d, want 404", id, r.status)
			}
		}
	})
}
