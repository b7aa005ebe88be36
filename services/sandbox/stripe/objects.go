package stripe

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// The kinds of objects, as their "object" names them on the wire.
const (
	kindProduct       = "product"
	kindPrice         = "price"
	kindCustomer      = "customer"
	kindSession       = "checkout.session"
	kindItem          = "item"
	kindIntent        = "payment_intent"
	kindCharge        = "charge"
	kindRefund        = "refund"
	kindDispute       = "dispute"
	kindInvoice       = "invoice"
	kindPaymentMethod = "payment_method"
	kindEvent         = "event"
	kindBackstage     = "checkout.session/backstage" // never on the wire, as the next one

	kindPriceCurrencies = "price/currencies" // on the wire as a part of its price, when it is asked for
)

// record is an object: what its type holds is what varies, its shape is the rest.
type record interface {
	ref() (kind, id string)
}

//go:embed shapes/*.json
var shapeFiles embed.FS

// shapes are the constant members of each kind of object.
type shapes map[string][]byte

func loadShapes() (shapes, error) {
	files, err := shapeFiles.ReadDir("shapes")
	if err != nil {
		return nil, fmt.Errorf("list shapes: %w", err)
	}
	all := shapes{}
	for _, f := range files {
		data, err := shapeFiles.ReadFile("shapes/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("read shape: %w", err)
		}
		if _, err := decodeMap(data); err != nil {
			return nil, fmt.Errorf("shape %s: %w", f.Name(), err)
		}
		all[strings.TrimSuffix(f.Name(), ".json")] = data
	}
	return all, nil
}

// render lays the record over its shape.
func (s shapes) render(o record) (map[string]any, error) {
	kind, _ := o.ref()
	wire := map[string]any{}
	_, deleted := o.(*tombstone)
	if shape, ok := s[kind]; ok && !deleted {
		m, err := decodeMap(shape)
		if err != nil {
			return nil, err
		}
		wire = m
	}
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	varying, err := decodeMap(data)
	if err != nil {
		return nil, err
	}
	maps.Copy(wire, varying)
	return wire, nil
}

// decodeMap decodes an object without turning its numbers into floats.
func decodeMap(data []byte) (map[string]any, error) {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	return m, nil
}

type product struct {
	ID          string            `json:"id"`
	Active      bool              `json:"active"`
	Created     int64             `json:"created"`
	Description *string           `json:"description"`
	Updated     int64             `json:"updated"`
	Metadata    map[string]string `json:"metadata"`
	Name        string            `json:"name"`
}

func (p *product) ref() (string, string) { return kindProduct, p.ID }

type price struct {
	ID                string            `json:"id"`
	Active            bool              `json:"active"`
	Created           int64             `json:"created"`
	Currency          string            `json:"currency"`
	LookupKey         *string           `json:"lookup_key"`
	Metadata          map[string]string `json:"metadata"`
	Product           string            `json:"product"`
	Recurring         *recurring        `json:"recurring"`
	TaxBehavior       string            `json:"tax_behavior"`
	Type              string            `json:"type"`
	UnitAmount        int64             `json:"unit_amount"`
	UnitAmountDecimal string            `json:"unit_amount_decimal"`
}

func (p *price) ref() (string, string) { return kindPrice, p.ID }

// recurring is the period of a subscription's price.
type recurring struct {
	AggregateUsage *string `json:"aggregate_usage"`
	Interval       string  `json:"interval"`
	IntervalCount  int64   `json:"interval_count"`
	Meter          *string `json:"meter"`
	UsageType      string  `json:"usage_type"`
}

type address struct {
	City       *string `json:"city"`
	Country    *string `json:"country"`
	Line1      *string `json:"line1"`
	Line2      *string `json:"line2"`
	PostalCode *string `json:"postal_code"`
	State      *string `json:"state"`
}

type customer struct {
	ID            string            `json:"id"`
	Address       *address          `json:"address"`
	Created       int64             `json:"created"`
	Description   *string           `json:"description"`
	Email         *string           `json:"email"`
	InvoicePrefix string            `json:"invoice_prefix"`
	Metadata      map[string]string `json:"metadata"`
	Name          *string           `json:"name"`
	Deleted       bool              `json:"deleted,omitempty"`
}

func (c *customer) ref() (string, string) { return kindCustomer, c.ID }

// tombstone is what remains of a deleted customer, and the answer to the deletion of a product.
type tombstone struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

func (t *tombstone) ref() (string, string) { return t.Object, t.ID }

type intent struct {
	ID                 string            `json:"id"`
	Amount             int64             `json:"amount"`
	AmountReceived     int64             `json:"amount_received"`
	ClientSecret       string            `json:"client_secret"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Customer           *string           `json:"customer"`
	Description        *string           `json:"description"`
	LastPaymentError   map[string]any    `json:"last_payment_error"`
	LatestCharge       string            `json:"latest_charge"`
	Metadata           map[string]string `json:"metadata"`
	PaymentMethod      *string           `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	SetupFutureUsage   *string           `json:"setup_future_usage"`
	Shipping           *shipping         `json:"shipping"`
	Status             string            `json:"status"`
}

func (i *intent) ref() (string, string) { return kindIntent, i.ID }

type billingDetails struct {
	Address address `json:"address"`
	Email   *string `json:"email"`
	Name    *string `json:"name"`
	Phone   *string `json:"phone"`
}

type charge struct {
	ID                   string            `json:"id"`
	Amount               int64             `json:"amount"`
	AmountCaptured       int64             `json:"amount_captured"`
	AmountRefunded       int64             `json:"amount_refunded"`
	BalanceTransaction   string            `json:"balance_transaction"`
	BillingDetails       billingDetails    `json:"billing_details"`
	Created              int64             `json:"created"`
	Currency             string            `json:"currency"`
	Customer             *string           `json:"customer"`
	Description          *string           `json:"description"`
	Disputed             bool              `json:"disputed"`
	FailureCode          *string           `json:"failure_code"`
	FailureMessage       *string           `json:"failure_message"`
	Metadata             map[string]string `json:"metadata"`
	Outcome              map[string]any    `json:"outcome,omitempty"` // a card's is in the shape, as the next but one
	Paid                 bool              `json:"paid"`
	PaymentIntent        string            `json:"payment_intent"`
	PaymentMethod        string            `json:"payment_method"`
	PaymentMethodDetails map[string]any    `json:"payment_method_details,omitempty"`
	ReceiptURL           string            `json:"receipt_url"`
	Refunded             bool              `json:"refunded"`
	Shipping             *shipping         `json:"shipping"`
	Status               string            `json:"status"`
}

func (c *charge) ref() (string, string) { return kindCharge, c.ID }

type refund struct {
	ID                        string            `json:"id"`
	Amount                    int64             `json:"amount"`
	BalanceTransaction        string            `json:"balance_transaction"`
	Charge                    string            `json:"charge"`
	Created                   int64             `json:"created"`
	Currency                  string            `json:"currency"`
	DestinationDetails        map[string]any    `json:"destination_details,omitempty"`
	FailureBalanceTransaction string            `json:"failure_balance_transaction,omitempty"`
	FailureReason             string            `json:"failure_reason,omitempty"`
	Metadata                  map[string]string `json:"metadata"`
	PaymentIntent             string            `json:"payment_intent"`
	Reason                    *string           `json:"reason"`
	Status                    string            `json:"status"`
}

func (r *refund) ref() (string, string) { return kindRefund, r.ID }

// on serves the object that the path names.
func on[T any, P interface {
	*T
	record
}](serve func(context.Context, *txn, P, form) (any, error)) func(context.Context, *txn, *call) (any, error) {
	return func(ctx context.Context, t *txn, c *call) (any, error) {
		o := P(new(T))
		kind, _ := o.ref()
		if err := t.get(ctx, c.id, pathParam[kind], o); err != nil {
			return nil, err
		}
		return serve(ctx, t, o, c.form)
	}
}

// update changes an object as the form says.
func update[P interface {
	record
	change(ctx context.Context, t *txn, f form) error
}](ctx context.Context, t *txn, o P, f form) (any, error) {
	return o, o.change(ctx, t, f)
}
