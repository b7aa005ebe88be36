package stripe

import "encoding/json"

// The states of a Checkout session and of its payment.
const (
	statusOpen     = "open"
	statusComplete = "complete"
	statusExpired  = "expired"

	paymentPaid     = "paid"
	paymentUnpaid   = "unpaid"
	placeholderText = "{CHECKOUT_SESSION_ID}"
)

type session struct {
	ID                       string            `json:"id"`
	AmountSubtotal           int64             `json:"amount_subtotal"`
	AmountTotal              int64             `json:"amount_total"`
	AutomaticTax             automaticTax      `json:"automatic_tax"`
	BillingAddressCollection *string           `json:"billing_address_collection"`
	CancelURL                *string           `json:"cancel_url"`
	ClientReferenceID        *string           `json:"client_reference_id"`
	Created                  int64             `json:"created"`
	Currency                 string            `json:"currency"`
	CustomText               customText        `json:"custom_text"`
	Customer                 *string           `json:"customer"`
	CustomerDetails          *customerDetails  `json:"customer_details"`
	ExpiresAt                int64             `json:"expires_at"`
	Invoice                  *string           `json:"invoice"`
	InvoiceCreation          invoiceCreation   `json:"invoice_creation"`
	Locale                   *string           `json:"locale"`
	Metadata                 map[string]string `json:"metadata"`
	PaymentIntent            *string           `json:"payment_intent"`
	PaymentMethodTypes       []string          `json:"payment_method_types"`
	PaymentStatus            string            `json:"payment_status"`
	Status                   string            `json:"status"`
	SubmitType               *string           `json:"submit_type"`
	SuccessURL               string            `json:"success_url"`
	TaxIDCollection          *enabled          `json:"tax_id_collection,omitempty"`
	TotalDetails             totalDetails      `json:"total_details"`
	URL                      *string           `json:"url"`
}

func (s *session) ref() (string, string) { return kindSession, s.ID }

// customText is the seller's own text on the page.
type customText struct {
	AfterSubmit     *customMessage `json:"after_submit"`
	ShippingAddress *customMessage `json:"shipping_address"`
	Submit          *customMessage `json:"submit"` // beside the button that pays
	Terms           *customMessage `json:"terms_of_service_acceptance"`
}

type customMessage struct {
	Message string `json:"message"`
}

type enabled struct {
	Enabled  bool   `json:"enabled"`
	Required string `json:"required"`
}

type totalDetails struct {
	AmountDiscount int64 `json:"amount_discount"`
	AmountShipping int64 `json:"amount_shipping"`
	AmountTax      int64 `json:"amount_tax"`
}

type automaticTax struct {
	Enabled   bool    `json:"enabled"`
	Liability any     `json:"liability"`
	Status    *string `json:"status"`
}

type customerDetails struct {
	Address   *address `json:"address"`
	Email     *string  `json:"email"`
	Name      *string  `json:"name"`
	Phone     *string  `json:"phone"`
	TaxExempt string   `json:"tax_exempt"`
	TaxIDs    []taxID  `json:"tax_ids"`
}

// taxID is a company's tax identifier.
type taxID struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type invoiceCreation struct {
	Enabled     bool        `json:"enabled"`
	InvoiceData invoiceData `json:"invoice_data"`
}

type invoiceData struct {
	AccountTaxIDs    any               `json:"account_tax_ids"`
	CustomFields     any               `json:"custom_fields"`
	Description      *string           `json:"description"`
	Footer           *string           `json:"footer"`
	Issuer           any               `json:"issuer"`
	Metadata         map[string]string `json:"metadata"`
	RenderingOptions any               `json:"rendering_options"`
}

// item is one line of a session.
type item struct {
	ID             string         `json:"id"`
	AmountDiscount int64          `json:"amount_discount"`
	AmountSubtotal int64          `json:"amount_subtotal"`
	AmountTotal    int64          `json:"amount_total"`
	Currency       string         `json:"currency"`
	Description    string         `json:"description"`
	Price          map[string]any `json:"price"`
	Quantity       int64          `json:"quantity"`

	about string // its product's description, for the page
}

func (i *item) ref() (string, string) { return kindItem, i.ID }

// backstage is the part of a session that the API does not show.
type backstage struct {
	Session        string            `json:"session"`
	Items          []json.RawMessage `json:"items"`
	Metadata       map[string]string `json:"metadata"` // of the payment to come, as the next three
	Description    *string           `json:"description"`
	Shipping       *shipping         `json:"shipping"`
	FutureUsage    *string           `json:"future_usage"`
	Keep           customerUpdate    `json:"keep"`
	Attempt        string            `json:"attempt"`         // the rendered form that paid
	CompletedEvent string            `json:"completed_event"` // the event that said so
}

// customerUpdate says which details from Checkout are saved to the customer.
type customerUpdate struct {
	Name    bool `json:"name"`
	Address bool `json:"address"`
}

func (b *backstage) ref() (string, string) { return kindBackstage, backstageID(b.Session) }

func backstageID(session string) string { return session + "/backstage" }
