package stripe

import (
	"context"
	"crypto/rand"
	"strings"
)

var customers = list{kind: kindCustomer, url: "/v1/customers", filters: []string{"email"}}

var customerParams = metadataParams("metadata").with(addressParams("address"), schema{
	"description": text(40_000), "email": emailAddress, "name": text(256), "phone": text(20),
	"preferred_locales[]": text(20),
})

func (s *Server) createCustomer(ctx context.Context, t *txn, c *call) (any, error) {
	cus := newCustomer(t.Now.Unix())
	return cus, cus.change(ctx, t, c.form)
}

func newCustomer(created int64) *customer {
	return &customer{
		ID: newID("cus_"), Created: created, InvoicePrefix: rand.Text()[:8],
		Metadata: map[string]string{}, PreferredLocales: []string{},
	}
}

func (s *Server) updateCustomer(ctx context.Context, t *txn, c *call) (any, error) {
	cus, err := t.customer(ctx, c.id, pathParam[kindCustomer])
	if err != nil {
		return nil, err
	}
	return cus, cus.change(ctx, t, c.form)
}

// customer reads a customer that is not deleted.
func (t *txn) customer(ctx context.Context, id, param string) (*customer, error) {
	var cus customer
	if err := t.get(ctx, id, param, &cus); err != nil {
		return nil, err
	}
	if cus.Deleted {
		return nil, missing(kindCustomer, id, param)
	}
	return &cus, nil
}

// change applies the form and stores the customer.
func (cus *customer) change(ctx context.Context, t *txn, f form) (err error) {
	if cus.Metadata, err = f.metadata("metadata", cus.Metadata); err != nil {
		return err
	}
	f.set(&cus.Description, "description")
	f.set(&cus.Email, "email")
	f.set(&cus.Name, "name")
	f.set(&cus.Phone, "phone")
	if locales := f.texts("preferred_locales"); len(locales) > 0 {
		cus.PreferredLocales = locales
	}
	for name := range f {
		if strings.HasPrefix(name, "address[") {
			cus.Address = &address{
				City: f.optional("address[city]"), Country: f.optional("address[country]"), Line1: f.optional("address[line1]"),
				Line2: f.optional("address[line2]"), PostalCode: f.optional("address[postal_code]"),
				State: f.optional("address[state]"),
			}
			break
		}
	}
	return t.put(ctx, cus)
}

// deleteCustomer leaves a tombstone: the customer can still be read but no longer used.
func (s *Server) deleteCustomer(ctx context.Context, t *txn, c *call) (any, error) {
	cus, err := t.customer(ctx, c.id, pathParam[kindCustomer])
	if err != nil {
		return nil, err
	}
	if err := t.emit(ctx, "customer.deleted", cus, nil); err != nil {
		return nil, err
	}
	gone := &tombstone{ID: cus.ID, Object: kindCustomer, Deleted: true}
	return gone, t.put(ctx, gone)
}
