package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
)

// vatNumber is the form of a VAT identification number in the European Union.
var vatNumber = regexp.MustCompile(`^[A-Z]{2}[0-9A-Z+*]{2,12}$`)

// vatPercent is what Stripe Tax would find for the buyer's address, which is always in Germany here.
const vatPercent = 19

// settleTax is Stripe Tax: the prices include it.
func (cs *session) settleTax() {
	if !cs.AutomaticTax.Enabled {
		return
	}
	cs.AutomaticTax.Status = new("complete")
	cs.TotalDetails.AmountTax = (cs.AmountTotal*vatPercent*2 + 100 + vatPercent) / (2 * (100 + vatPercent)) // rounded
}

// invoice is one that is paid: those of Checkout are written when the money is there.
type invoice struct {
	ID                   string            `json:"id"`
	AmountDue            int64             `json:"amount_due"`
	AmountPaid           int64             `json:"amount_paid"`
	AutomaticTax         automaticTax      `json:"automatic_tax"`
	Charge               *string           `json:"charge"`
	Created              int64             `json:"created"`
	Currency             string            `json:"currency"`
	Customer             *string           `json:"customer"`
	Description          *string           `json:"description"`
	CustomerAddress      *address          `json:"customer_address"`
	CustomerEmail        *string           `json:"customer_email"`
	CustomerName         *string           `json:"customer_name"`
	CustomerTaxIDs       []taxID           `json:"customer_tax_ids"`
	EffectiveAt          int64             `json:"effective_at"`
	Footer               *string           `json:"footer"`
	HostedInvoiceURL     string            `json:"hosted_invoice_url"`
	Lines                map[string]any    `json:"lines"`
	Metadata             map[string]string `json:"metadata"`
	Number               string            `json:"number"`
	PaymentIntent        *string           `json:"payment_intent"`
	PeriodEnd            int64             `json:"period_end"`
	PeriodStart          int64             `json:"period_start"`
	StatusTransitions    map[string]any    `json:"status_transitions"`
	Subtotal             int64             `json:"subtotal"`
	SubtotalExcludingTax int64             `json:"subtotal_excluding_tax"`
	Tax                  *int64            `json:"tax"`
	Total                int64             `json:"total"`
	TotalExcludingTax    int64             `json:"total_excluding_tax"`
	WebhooksDeliveredAt  int64             `json:"webhooks_delivered_at"`
}

func (i *invoice) ref() (string, string) { return kindInvoice, i.ID }

// invoiceLine is one line of an invoice.
type invoiceLine struct {
	ID          string           `json:"id"`
	Amount      int64            `json:"amount"`
	Currency    string           `json:"currency"`
	Description string           `json:"description"`
	Invoice     string           `json:"invoice"`
	InvoiceItem string           `json:"invoice_item"`
	Period      map[string]int64 `json:"period"`
	Price       map[string]any   `json:"price"`
	Quantity    int64            `json:"quantity"`
}

func (l *invoiceLine) ref() (string, string) { return "line_item", l.ID }

// invoice writes the invoice of a session that is paid and is to have one. It changes the session; the caller keeps it.
func (s *Server) invoice(ctx context.Context, t *txn, cs *session, back *backstage) error {
	if !cs.InvoiceCreation.Enabled || cs.PaymentStatus == paymentUnpaid {
		return nil
	}
	now, data, who := t.Now.Unix(), cs.InvoiceCreation.InvoiceData, cs.CustomerDetails
	in := &invoice{
		ID: newID("in_"), AmountDue: cs.AmountTotal, AmountPaid: cs.AmountTotal, AutomaticTax: cs.AutomaticTax, Created: now,
		Currency: cs.Currency,
		Customer: cs.Customer, CustomerAddress: who.Address, CustomerEmail: who.Email, CustomerName: who.Name,
		CustomerTaxIDs: who.TaxIDs,
		EffectiveAt:    now, Description: data.Description, Footer: data.Footer, Metadata: data.Metadata,
		PaymentIntent: cs.PaymentIntent,
		PeriodEnd:     now, PeriodStart: now, Subtotal: cs.AmountSubtotal, SubtotalExcludingTax: cs.AmountSubtotal,
		Total:             cs.AmountTotal,
		TotalExcludingTax: cs.AmountTotal - cs.TotalDetails.AmountTax, WebhooksDeliveredAt: now,
		StatusTransitions: map[string]any{"finalized_at": now, "marked_uncollectible_at": nil, "paid_at": now,
			"voided_at": nil},
	}
	if cs.AutomaticTax.Enabled {
		in.Tax = &cs.TotalDetails.AmountTax
		in.SubtotalExcludingTax = in.TotalExcludingTax
	}
	if cs.PaymentIntent != nil {
		var pi intent
		if err := t.get(ctx, *cs.PaymentIntent, pathParam[kindIntent], &pi); err != nil {
			return err
		}
		in.Charge = &pi.LatestCharge
	}
	in.HostedInvoiceURL = s.url + "/invoices/" + in.ID
	var err error
	if in.Number, err = t.invoiceNumber(ctx); err != nil {
		return err
	}
	if in.Lines, err = in.lines(t, back); err != nil {
		return err
	}
	cs.Invoice = &in.ID
	if err := t.put(ctx, in); err != nil {
		return err
	}
	return t.emit(ctx, "invoice.paid", in, nil)
}

// invoiceNumber is the next one, without a gap: one write at a time is under way.
func (t *txn) invoiceNumber(ctx context.Context) (string, error) {
	var count int64
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM stripe_sandbox.objects WHERE kind = $1`, kindInvoice).Scan(&count)
	if err != nil {
		return "", fmt.Errorf("number an invoice: %w", err)
	}
	return fmt.Sprintf("SANDBOX-%04d", count+1), nil
}

// lines are what the session sold.
func (i *invoice) lines(t *txn, back *backstage) (map[string]any, error) {
	lines := []any{}
	for _, raw := range back.Items {
		var one item
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("decode line item: %w", err)
		}
		line, err := t.shapes.render(&invoiceLine{
			ID: newID("il_"), Amount: one.AmountSubtotal, Currency: one.Currency, Description: one.Description, Invoice: i.ID,
			InvoiceItem: newID("ii_"), Period: map[string]int64{"start": i.Created, "end": i.Created}, Price: one.Price,
			Quantity: one.Quantity,
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return envelope("/v1/invoices/"+i.ID+"/lines", lines, false), nil
}
