package stripe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxUnitAmount is Stripe's largest amount, in the currency's smallest unit.
const maxUnitAmount = 99_999_999

var prices = list{kind: kindPrice, url: "/v1/prices", filters: []string{"active", "currency", "product", "type"},
	among: []string{"lookup_keys"}}

var productParams = metadataParams("metadata").with(schema{"active": boolean, "description": text(40000),
	"name": identifier})

var newProductParams = schema{"id": identifier}

var priceParams = metadataParams("metadata").with(schema{
	"active": boolean, "lookup_key": text(200), "transfer_lookup_key": boolean,
	"tax_behavior": oneOf("exclusive", "inclusive", "unspecified"),
}, currencyOptionParams())

var newPriceParams = schema{
	"currency": currencyCode, "product": identifier, "unit_amount": integer(0, maxUnitAmount),
	"recurring[interval]": oneOf("day", "week", "month", "year"), "recurring[interval_count]": integer(1, 1095),
}

func (s *Server) createProduct(ctx context.Context, t *txn, c *call) (any, error) {
	if err := c.form.require("name"); err != nil {
		return nil, err
	}
	p := &product{ID: c.form["id"], Active: true, Created: t.Now.Unix()}
	if p.ID == "" {
		p.ID = newID("prod_")
	}
	var known bool
	err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM stripe_sandbox.objects WHERE id = $1)`, p.ID).Scan(&known)
	if err != nil {
		return nil, fmt.Errorf("find product: %w", err)
	}
	if known {
		return nil, refused("resource_already_exists", "id", "Product already exists.")
	}
	return p, p.change(ctx, t, c.form)
}

// change applies the form and stores the product.
func (p *product) change(ctx context.Context, t *txn, f form) (err error) {
	if p.Metadata, err = f.metadata("metadata", p.Metadata); err != nil {
		return err
	}
	if f.has("name") {
		p.Name = f["name"]
	}
	f.set(&p.Description, "description")
	if f.has("active") {
		p.Active = f.truth("active")
	}
	p.Updated = t.Now.Unix()
	return t.record(ctx, p)
}

// deleteProduct deletes a product without prices.
func deleteProduct(ctx context.Context, t *txn, p *product, _ form) (any, error) {
	var priced bool
	err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM stripe_sandbox.objects
		WHERE kind = $1 AND data ->> 'product' = $2)`, kindPrice, p.ID).Scan(&priced)
	if err != nil {
		return nil, fmt.Errorf("find prices: %w", err)
	}
	if priced {
		return nil, refused("", "", "This product cannot be deleted because it has one or more user-created prices.")
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM stripe_sandbox.objects WHERE id = $1`, p.ID); err != nil {
		return nil, fmt.Errorf("delete product: %w", err)
	}
	if err := t.emit(ctx, "product.deleted", p, nil); err != nil {
		return nil, err
	}
	return &tombstone{ID: p.ID, Object: kindProduct, Deleted: true}, nil
}

func (s *Server) createPrice(ctx context.Context, t *txn, c *call) (any, error) {
	if err := c.form.require("currency", "product", "unit_amount"); err != nil {
		return nil, err
	}
	amount := c.form.integer("unit_amount")
	p := &price{
		ID: newID("price_"), Active: true, Created: t.Now.Unix(), Currency: strings.ToLower(c.form["currency"]),
		Product:     c.form["product"],
		TaxBehavior: "unspecified", Type: "one_time", UnitAmount: amount, UnitAmountDecimal: strconv.FormatInt(amount, 10),
	}
	if f := c.form; f.has("recurring[interval]") {
		p.Type = "recurring"
		p.Recurring = &recurring{Interval: f["recurring[interval]"], UsageType: "licensed",
			IntervalCount: max(1, f.integer("recurring[interval_count]"))}
	}
	var of product
	if err := t.get(ctx, p.Product, "product", &of); err != nil {
		return nil, err
	}
	return p, p.change(ctx, t, c.form)
}

// change applies the form and stores the price.
func (p *price) change(ctx context.Context, t *txn, f form) (err error) {
	if p.Metadata, err = f.metadata("metadata", p.Metadata); err != nil {
		return err
	}
	if f.has("active") {
		p.Active = f.truth("active")
	}
	if f.has("tax_behavior") {
		if p.TaxBehavior != "unspecified" && p.TaxBehavior != f["tax_behavior"] {
			return refused("", "tax_behavior", "The `tax_behavior` of a price cannot be changed once it has been set.")
		}
		p.TaxBehavior = f["tax_behavior"]
	}
	if err := t.saveCurrencies(ctx, p, f); err != nil {
		return err
	}
	if key := f.optional("lookup_key"); key != nil {
		if err := p.claimLookupKey(ctx, t, *key, f.truth("transfer_lookup_key")); err != nil {
			return err
		}
	}
	f.set(&p.LookupKey, "lookup_key")
	return t.record(ctx, p)
}

// claimLookupKey transfers the key from the price that has it, if the form allows that.
func (p *price) claimLookupKey(ctx context.Context, t *txn, key string, transfer bool) error {
	var holder string
	err := t.QueryRowContext(ctx,
		`SELECT id FROM stripe_sandbox.objects WHERE kind = $1 AND data ->> 'lookup_key' = $2 AND id <> $3`,
		kindPrice, key, p.ID).Scan(&holder)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find lookup key: %w", err)
	}
	if !transfer {
		return refused("resource_already_exists", "lookup_key", "A price (`%s`) already uses that lookup key.", holder)
	}
	var other price
	if err := t.get(ctx, holder, "lookup_key", &other); err != nil {
		return err
	}
	other.LookupKey = nil
	return t.record(ctx, &other)
}
