package purchase_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// begin starts a purchase.
func (s *sandboxFixture) begin(t *testing.T, key string) models.Purchase {
	t.Helper()
	started, err := s.Start(t.Context(), s.order(key))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return s.bought(t, started.PurchaseID.String())
}

func (s *sandboxFixture) bought(t *testing.T, id string) models.Purchase {
	t.Helper()
	p, err := s.Service.Purchase(t.Context(), s.user.ID, id)
	if err != nil {
		t.Fatalf("purchase: %v", err)
	}
	return p
}

// pay pays at the stand-in, and books the session.
func (s *sandboxFixture) pay(t *testing.T, p models.Purchase, method string) models.Purchase {
	t.Helper()
	s.payUnseen(t, p, method)
	s.RefreshSession(t.Context(), p.CheckoutSessionID)
	return s.bought(t, p.ID.String())
}

// payUnseen pays at the stand-in, whose event is lost.
func (s *sandboxFixture) payUnseen(t *testing.T, p models.Purchase, method string) {
	t.Helper()
	u, err := url.Parse(p.CheckoutURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/control/sessions/" + p.CheckoutSessionID + "/pay"
	answer, err := http.PostForm(u.String(), url.Values{"method": {method}})
	if err != nil {
		t.Fatalf("pay: %v", err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("pay = %d, want 200", answer.StatusCode)
	}
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	p := s.begin(t, "form")
	missing := func(t *testing.T, user int64, id string, problem fault.Problem) {
		t.Helper()
		address, err := s.Receipt(t.Context(), user, id)
		if f := fault.Of(err); f == nil || f.Code != fault.NotFound || f.Problem != problem || address != "" {
			t.Errorf("receipt = %q, %v; want not found: %s", address, err, problem)
		}
	}
	t.Run("is not found before the payment", func(t *testing.T) {
		missing(t, s.user.ID, p.ID.String(),
			fault.ReceiptMissing)
	})
	p = s.pay(t, p, "card")
	t.Run("is the hosted invoice", func(t *testing.T) {
		address, err := s.Receipt(t.Context(), s.user.ID, p.ID.String())
		if err != nil || !strings.Contains(address, "/invoices/in_") {
			t.Errorf("receipt = %q, %v; want an invoice", address, err)
		}
	})
	t.Run("is not found for another user or another spelling of the id", func(t *testing.T) {
		missing(t, dbtest.User(t, s.db, "eve@example.com").ID, p.ID.String(), "")
		missing(t, s.user.ID, strings.ToUpper(p.ID.String()), "")
		missing(t, s.user.ID, "1", "")
	})
	path := "/v1/checkout/sessions/" + p.CheckoutSessionID
	for name, c := range map[string]struct{ session, want string }{
		"is the PDF when there is no page":                {`{"id":"cs_1","object":"checkout.session","invoice":{"id":"in_1","invoice_pdf":"https://pay.stripe.com/in_1.pdf"}}`, "https://pay.stripe.com/in_1.pdf"},
		"is the receipt of the charge without an invoice": {`{"id":"cs_1","object":"checkout.session","payment_intent":{"id":"pi_1","latest_charge":{"id":"ch_1","receipt_url":"https://pay.stripe.com/receipts/1"}}}`, "https://pay.stripe.com/receipts/1"},
		"is not an address with a script":                 {`{"id":"cs_1","object":"checkout.session","invoice":{"id":"in_1","hosted_invoice_url":"javascript:alert(1)"}}`, ""},
		"is not found when Stripe has neither":            {`{"id":"cs_1","object":"checkout.session","payment_intent":null,"invoice":null}`, ""},
		"is not found for an unexpanded charge":           {`{"id":"cs_1","object":"checkout.session","payment_intent":{"id":"pi_1","latest_charge":"ch_1"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.says.Store(path, c.session)
			defer s.says.Delete(path)
			if c.want == "" {
				missing(t, s.user.ID, p.ID.String(), fault.ReceiptMissing)
				return
			}
			if address, err := s.Receipt(t.Context(), s.user.ID, p.ID.String()); err != nil || address != c.want {
				t.Errorf("receipt = %q, %v; want %s", address, err, c.want)
			}
		})
	}
	t.Run("is not found when Stripe does not know the session", func(t *testing.T) {
		set := `UPDATE purchases SET checkout_session_id = ? WHERE id = ?`
		s.exec(t, set, "cs_elsewhere", p.ID)
		defer s.exec(t, set, p.CheckoutSessionID, p.ID)
		missing(t, s.user.ID, p.ID.String(), fault.ReceiptMissing)
	})
	t.Run("is unavailable while Stripe does not answer", func(t *testing.T) {
		s.down.Store(true)
		defer s.down.Store(false)
		_, err := s.Receipt(t.Context(), s.user.ID, p.ID.String())
		if f := fault.Of(err); f == nil || f.Code != fault.Unavailable || f.Problem != fault.ReceiptAway {
			t.Errorf("error = %v, want unavailable with fault.ReceiptAway", err)
		}
	})
	t.Run("is not found while the bank decides", func(t *testing.T) {
		debit := s.pay(t, s.begin(t, "debit"), "sepa_debit")
		if debit.Status != models.PurchaseAwaitingPayment {
			t.Fatalf("purchase is %s, want awaiting_payment", debit.Status)
		}
		missing(t, s.user.ID, debit.ID.String(), fault.ReceiptMissing)
	})
}

func TestTaxSettings(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	settings := map[string]purchase.Tax{
		"none":           {},
		"automatic":      {Automatic: true},
		"tax ids":        {IDs: true},
		"both":           {Automatic: true, IDs: true},
		"other note":     {Note: map[string]string{"de": "Kleinunternehmer nach § 19 UStG.", "en": "§ 19."}},
		"small business": {Note: map[string]string{"de": "Gemäß § 19 UStG.", "en": "§ 19 UStG."}},
	}
	for name, tax := range settings {
		t.Run("reach Stripe: "+name, func(t *testing.T) {
			s.Tax = tax
			p := s.begin(t, name)
			session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, nil)
			if err != nil {
				t.Fatal(err)
			}
			ids, address := session.TaxIDCollection != nil && session.TaxIDCollection.Enabled, session.BillingAddressCollection
			in := session.InvoiceCreation
			if !in.Enabled || in.InvoiceData.Footer != tax.Note[p.Locale] ||
				in.InvoiceData.Metadata["purchase_id"] != p.ID.String() ||
				session.AutomaticTax.Enabled != tax.Automatic || ids != tax.IDs || (address == "required") != tax.IDs {
				t.Errorf("session: invoice %+v, tax %+v, ids %v, address %q", in, session.AutomaticTax, ids, address)
			}
		})
	}
	t.Run("may change between two attempts", func(t *testing.T) {
		s.Tax = purchase.Tax{}
		p := s.begin(t, "interrupted")
		forget := func() { // like a crash before Stripe's answer is stored
			if err := s.db.Exec(`UPDATE purchases SET checkout_session_id = NULL, checkout_url = '' WHERE id = ?`,
				p.ID).Error; err != nil {
				t.Fatal(err)
			}
		}
		forget()
		if again := s.begin(t, "interrupted"); again.CheckoutSessionID != p.CheckoutSessionID {
			t.Errorf("the same settings opened session %s, want %s", again.CheckoutSessionID, p.CheckoutSessionID)
		}
		seen := map[string]bool{p.CheckoutSessionID: true}
		for name, tax := range settings {
			if name == "none" {
				continue
			}
			forget()
			s.Tax = tax
			if again := s.begin(t, "interrupted"); seen[again.CheckoutSessionID] {
				t.Errorf("%s: session %s again, want another", name, again.CheckoutSessionID)
			} else {
				seen[again.CheckoutSessionID] = true
			}
		}
	})
	t.Run("open one session for twenty concurrent requests", func(t *testing.T) {
		s.Tax = settings["both"]
		urls := make([]string, 20)
		dbtest.Concurrently(20, func(i int) {
			started, err := s.Start(context.Background(), s.order("both"))
			if err != nil {
				t.Errorf("start: %v", err)
			}
			urls[i] = started.URL
		})
		for _, u := range urls {
			if u != urls[0] || u == "" {
				t.Errorf("pay at %q, want %q", u, urls[0])
			}
		}
	})
	t.Run("keep the address that the customer typed", func(t *testing.T) {
		s.Tax = settings["both"]
		p := s.pay(t, s.begin(t, "kept"), "card")
		params := &stripe.CheckoutSessionParams{}
		params.AddExpand("customer")
		session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, params)
		if err != nil || session.Customer.Address == nil || session.Customer.Address.Country != "DE" {
			t.Errorf("customer = %+v, %v; want an address", session.Customer, err)
		}
	})
}

// Checkout and the invoice name the order in the buyer's language, beside the product that Stripe names for all.
func TestOrderIsNamedAtStripe(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	language := map[string]string{"de": "Bestellung", "en": "order"}
	s.OrderText = func(locale string, credits models.Credits) string {
		return fmt.Sprintf("%s: %d", language[locale], credits)
	}
	opened := map[string]bool{}
	for _, locale := range []string{"de", "en"} {
		o := s.order("named " + locale)
		o.Locale, o.Quantity = locale, 2
		started, err := s.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var p models.Purchase
		if err := s.db.Take(&p, "id = ?", started.PurchaseID).Error; err != nil {
			t.Fatal(err)
		}
		params := &stripe.CheckoutSessionParams{}
		params.AddExpand("line_items")
		session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, params)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s: %d", language[locale], p.Credits)
		if got := session.CustomText.Submit; got == nil || got.Message != want ||
			session.InvoiceCreation.InvoiceData.Description != want {
			t.Errorf("%s: beside the button %+v, on the invoice %q; want %q", locale, got,
				session.InvoiceCreation.InvoiceData.Description, want)
		}
		item := session.LineItems.Data[0]
		if name := fmt.Sprintf("%d Credits · Resume Matcher", p.Credits/2); item.Description != name || item.Quantity != 2 {
			t.Errorf("%s: line = %d × %q, want 2 × %q", locale, item.Quantity, item.Description, name)
		}
		opened[session.ID] = true
	}
	s.OrderText = func(string, models.Credits) string { return "Another release says it otherwise" }
	err := s.db.Exec(`UPDATE purchases SET checkout_session_id = NULL, checkout_url = ''`).Error
	if err != nil { // like a crash before Stripe's answer is stored
		t.Fatal(err)
	}
	o := s.order("named de")
	o.Locale, o.Quantity = "de", 2
	started, err := s.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("another text: %v, want another session", err)
	}
	for id := range opened {
		if strings.HasSuffix(started.URL, id) {
			t.Errorf("another text leads to session %s, want another", id)
		}
	}
}
