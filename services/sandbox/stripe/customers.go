package stripe

import (
	"context"
	"crypto/rand"
)

var customers = list{kind: kindCustomer, url: "/v1/customers", filters: []string{"email"}}

var customerParams = metadataParams("metadata").with(schema{"description": text(350), "email": emailAddress,
	"name": text(256)})

func (s *Server) createCustomer(ctx context.Context, t *txn, c *call) (any, error) {
	cus := &customer{ID: newID("cus_"), Created: t.Now.Unix(), InvoicePrefix: rand.Text()[:8]}
	return cus, cus.change(ctx, t, c.form)
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
