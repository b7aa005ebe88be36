package stripe_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// invoiced makes a session create an invoice with a footer and tax.
func invoiced(params *stripe.CheckoutSessionParams) {
	params.InvoiceCreation = &stripe.CheckoutSessionInvoiceCreationParams{Enabled: stripe.Bool(true),
		InvoiceData: &stripe.CheckoutSessionInvoiceCreationInvoiceDataParams{Footer: stripe.String("Fußnote (§ 19)"),
			Description: stripe.String("Ihre Bestellung"),
			Metadata:    map[string]string{"credits": "1000"}}}
	params.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
	params.TaxIDCollection = &stripe.CheckoutSessionTaxIDCollectionParams{Enabled: stripe.Bool(true)}
	params.CustomerUpdate = &stripe.CheckoutSessionCustomerUpdateParams{Address: stripe.String("auto"),
		Name: stripe.String("auto")}
	params.BillingAddressCollection = stripe.String("required")
}

// invoiceOf returns the invoice of a session, or nil.
func (s *fixture) invoiceOf(t *testing.T, session string) *stripe.Invoice {
	t.Helper()
	params := &stripe.CheckoutSessionParams{}
	params.AddExpand("invoice")
	params.AddExpand("payment_intent.latest_charge")
	cs, err := s.api.CheckoutSessions.Get(session, params)
	if err != nil {
		t.Fatalf("read session: %v", err)
	}
	return cs.Invoice
}

func (s *fixture) read(t *testing.T, address string) (*http.Response, []byte) {
	t.Helper()
	answer, err := s.browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, body
}

func TestInvoiceOfAPaidSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID, invoiced)
	if s.invoiceOf(t, session.ID) != nil {
		t.Error("before the payment: got an invoice, want none")
	}
	if got := s.get(t, session.URL).text("#seller"); got != "Verkäufer: Muster & Söhne" {
		t.Errorf("Checkout names the seller as %q", got)
	}
	half := s.post(t, session.URL, url.Values{"action": {"pay"}, "company": {"Beispiel GmbH"}})
	if !strings.HasSuffix(half.Header.Get("Location"), "?error=tax_id") {
		t.Errorf("a company without its tax id leads to %s", half.Header.Get("Location"))
	}
	if paid := s.post(t, session.URL, url.Values{"action": {"pay"}, "company": {"Beispiel GmbH"},
		"tax_id": {"de 123 456 789"}}); paid.StatusCode != http.StatusSeeOther {
		t.Fatalf("pay: got %d", paid.StatusCode)
	}
	in := s.invoiceOf(t, session.ID)
	if in == nil || in.Number != "SANDBOX-0001" || in.Status != "paid" || in.Total != 4000 || in.Tax != 639 ||
		in.AmountPaid != 4000 || in.Footer != "Fußnote (§ 19)" ||
		in.CustomerName != "Beispiel GmbH" || len(in.CustomerTaxIDs) != 1 || in.CustomerTaxIDs[0].Value != "DE123456789" ||
		in.Metadata["credits"] != "1000" ||
		len(in.Lines.Data) != 1 || in.Lines.Data[0].Quantity != 2 {
		t.Fatalf("invoice: got %+v", in)
	}
	if cus, err := s.api.Customers.Get(session.Customer.ID, nil); err != nil || cus.Name != "Beispiel GmbH" ||
		cus.Address.Country != "DE" {
		t.Errorf("customer: got %+v, %v; want the name and the address from Checkout", cus, err)
	}

	page, body := s.read(t, in.HostedInvoiceURL)
	for _, want := range []string{"SANDBOX-0001", "Beispiel GmbH", "DE123456789", "€6.39", "€40.00", "Fußnote",
		"Ihre Bestellung", "Muster &amp; Söhne"} {
		if page.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
			t.Errorf("hosted page: got %d without %q", page.StatusCode, want)
		}
	}
	if in.InvoicePDF != "" {
		t.Errorf("invoice_pdf: got %s, want none: the hosted page is all there is", in.InvoicePDF)
	}
	if answer, _ := s.read(t, s.URL()+"/invoices/in_unknown"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown invoice: got %d, want 404", answer.StatusCode)
	}
}

func TestTaxIsActive(t *testing.T) {
	t.Parallel()
	settings, err := start(t).api.TaxSettings.Get(&stripe.TaxSettingsParams{})
	if err != nil || settings.Status != stripe.TaxSettingsStatusActive {
		t.Errorf("tax settings: got %+v, %v; want them active", settings, err)
	}
}

func TestInvoiceIsCreatedOncePaid(t *testing.T) {
	t.Parallel()
	s := start(t)
	price := s.offer(t).ID
	t.Run("after a debit succeeds", func(t *testing.T) {
		session := s.checkout(t, price, invoiced)
		s.post(t, session.URL, url.Values{"action": {"debit"}})
		if in := s.invoiceOf(t, session.ID); in != nil {
			t.Errorf("invoice: got %+v before the money is there", in)
		}
		s.run(t, "payments/"+s.session(t, session.ID).PaymentIntent.ID+"/succeed")
		if in := s.invoiceOf(t, session.ID); in == nil || in.AmountPaid != 4000 || in.Charge == nil {
			t.Errorf("invoice: got %+v, want it paid", in)
		}
	})
	t.Run("never after a debit fails", func(t *testing.T) {
		session := s.checkout(t, price, invoiced)
		s.post(t, session.URL, url.Values{"action": {"debit"}})
		s.run(t, "payments/"+s.session(t, session.ID).PaymentIntent.ID+"/fail")
		if in := s.invoiceOf(t, session.ID); in != nil {
			t.Errorf("invoice: got %+v of a payment that failed", in)
		}
	})
	t.Run("only with invoice_creation", func(t *testing.T) {
		session := s.checkout(t, price)
		s.post(t, session.URL, url.Values{"action": {"pay"}})
		if in := s.invoiceOf(t, session.ID); in != nil {
			t.Errorf("invoice: got %+v without invoice_creation", in)
		}
	})
}

// The page says what is bought: the product, its description, and the seller's text beside the button.
func TestCheckoutSaysWhatIsBought(t *testing.T) {
	t.Parallel()
	s := start(t)
	price := s.offer(t)
	if _, err := s.api.Products.Update(price.Product.ID, &stripe.ProductParams{
		Description: stripe.String("50 resume analyses")}); err != nil {
		t.Fatal(err)
	}
	const message = "Your order: 1,000 credits <b>"
	session := s.checkout(t, price.ID, func(params *stripe.CheckoutSessionParams) {
		params.CustomText = &stripe.CheckoutSessionCustomTextParams{
			Submit: &stripe.CheckoutSessionCustomTextSubmitParams{Message: stripe.String(message)}}
	})
	if session.CustomText.Submit == nil || session.CustomText.Submit.Message != message {
		t.Errorf("session: text %+v, want %q", session.CustomText.Submit, message)
	}
	_, body := s.read(t, session.URL)
	for _, want := range []string{"500 Credits", "50 resume analyses", "Your order: 1,000 credits &lt;b&gt;"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("page: no %q", want)
		}
	}
	list := &stripe.PriceListParams{Product: stripe.String(price.Product.ID)}
	list.AddExpand("data.product")
	prices := s.api.Prices.List(list)
	if !prices.Next() || prices.Price().Product.Description != "50 resume analyses" || !prices.Price().Product.Active {
		t.Errorf("price with its product: got %+v, %v", prices.Price(), prices.Err())
	}
}
