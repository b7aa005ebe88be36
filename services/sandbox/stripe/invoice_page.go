package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// invoicePage is the hosted page of an invoice. There is no PDF of it: invoice_pdf is null.
type invoicePage struct {
	page
	Facts  []fact
	Items  []itemLine
	Sums   []fact
	Total  string
	Footer string
	About  string // the seller's text above the lines
}

type fact struct{ Name, Value string }

// showInvoice serves the page of an invoice.
func (s *Server) showInvoice(w http.ResponseWriter, r *http.Request) {
	var in invoice
	var lines []invoiceLine
	if !s.shown(w, r, kindInvoice, func(ctx context.Context, t *txn, id string) (err error) {
		if err = t.get(ctx, id, pathParam[kindInvoice], &in); err == nil {
			lines, err = in.decodeLines()
		}
		return err
	}) {
		return
	}
	p := invoicePage{page: s.pages.page(nil, r, "invoice.title")}
	p.add(&p.Facts, "invoice.number", in.Number)
	p.add(&p.Facts, "invoice.date", p.formatDay(time.Unix(in.Created, 0)))
	var to []string
	for _, part := range []*string{in.CustomerName, in.CustomerEmail} {
		if part != nil {
			to = append(to, *part)
		}
	}
	if len(to) > 0 {
		p.add(&p.Facts, "invoice.to", strings.Join(to, ", "))
	}
	for _, id := range in.CustomerTaxIDs {
		p.add(&p.Facts, "invoice.tax_id", id.Value)
	}
	for _, one := range lines {
		p.Items = append(p.Items, itemLine{one.Description, "", one.Quantity, p.money(one.Amount, one.Currency)})
	}
	if in.Tax != nil {
		p.add(&p.Sums, "invoice.tax", p.money(*in.Tax, in.Currency))
	}
	p.Total = p.money(in.Total, in.Currency)
	if in.Footer != nil {
		p.Footer = *in.Footer
	}
	if in.Description != nil {
		p.About = *in.Description
	}
	s.send(w, http.StatusOK, "invoice.html", p)
}

func (p *invoicePage) add(to *[]fact, key, value string) { *to = append(*to, fact{p.T(key), value}) }

// decodeLines returns the lines of an invoice, which the store holds as plain JSON.
func (i *invoice) decodeLines() ([]invoiceLine, error) {
	data, err := json.Marshal(i.Lines["data"])
	if err != nil {
		return nil, fmt.Errorf("encode invoice lines: %w", err)
	}
	var lines []invoiceLine
	if err := json.Unmarshal(data, &lines); err != nil {
		return nil, fmt.Errorf("decode invoice lines: %w", err)
	}
	return lines, nil
}
