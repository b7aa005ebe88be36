package stripe

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The kinds of object that make up a webhook endpoint.
const (
	kindEndpoint       = "webhook_endpoint"
	kindEndpointSecret = "webhook_endpoint/backstage" // never on the wire
)

// The states of a webhook endpoint.
const (
	endpointEnabled  = "enabled"
	endpointDisabled = "disabled"
	everyEvent       = "*"
)

// The event types and API versions that an endpoint may subscribe to.
// Source: the constants of stripe-go v79 and Stripe's OpenAPI document. refund.failed is not among them: it came later.
var (
	//go:embed lists/events.txt
	eventNames string
	//go:embed lists/versions.txt
	versionNames string

	eventTypes  = strings.Fields(eventNames)
	apiVersions = strings.Fields(versionNames)
)

// productEvents are the event types that the product handles, in the order of its decision table.
var productEvents = []string{
	"checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
	"checkout.session.expired", "charge.refunded", "charge.refund.updated", "refund.created", "refund.updated",
	"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
	"charge.dispute.funds_reinstated", "customer.deleted",
	"price.created", "price.updated", "price.deleted", "product.created", "product.updated", "product.deleted",
}

var endpointList = list{kind: kindEndpoint, url: "/v1/webhook_endpoints"}

var endpointPage = schema{"limit": integer(1, maxPage), "starting_after": identifier}

var endpointParams = metadataParams("metadata").with(schema{
	"description": text(5000), "enabled_events[]": oneOf(append([]string{everyEvent}, eventTypes...)...),
	"url": webAddress,
})

var newEndpointParams = schema{"api_version": oneOf(apiVersions...), "connect": boolean}

type webhookEndpoint struct {
	ID            string            `json:"id"`
	APIVersion    *string           `json:"api_version"`
	Created       int64             `json:"created"`
	Description   *string           `json:"description"`
	EnabledEvents []string          `json:"enabled_events"`
	Metadata      map[string]string `json:"metadata"`
	Status        string            `json:"status"`
	URL           string            `json:"url"`
}

func (e *webhookEndpoint) ref() (string, string) { return kindEndpoint, e.ID }

// endpointSecret holds the part of an endpoint that the API shows once at most.
type endpointSecret struct {
	Endpoint string `json:"endpoint"`
	Secret   string `json:"secret"` // empty when Start made the endpoint: Options has its secrets
	Own      bool   `json:"own"`    // the program's own: it is delivered to where Options says
}

func (e *endpointSecret) ref() (string, string) { return kindEndpointSecret, backstageID(e.Endpoint) }

// createEndpoint creates an endpoint. Only this answer contains its secret.
func (s *Server) createEndpoint(ctx context.Context, t *txn, c *call) (any, error) {
	if err := c.form.require("url"); err != nil {
		return nil, err
	}
	e := &webhookEndpoint{ID: newID("we_"), Created: t.Now.Unix(), APIVersion: c.form.optional("api_version"),
		Status: endpointEnabled}
	if len(c.form.texts("enabled_events")) == 0 {
		return nil, invalid("parameter_missing", "enabled_events", "Missing required param: enabled_events.")
	}
	if err := e.change(ctx, t, c.form); err != nil {
		return nil, err
	}
	hidden := &endpointSecret{Endpoint: e.ID, Secret: "whsec_" + rand.Text()}
	if err := t.put(ctx, hidden); err != nil {
		return nil, err
	}
	wire, err := t.shapes.render(e)
	if err != nil {
		return nil, err
	}
	wire["secret"] = hidden.Secret
	return wire, nil
}

// change applies the form and stores the endpoint.
func (e *webhookEndpoint) change(ctx context.Context, t *txn, f form) (err error) {
	if e.Metadata, err = f.metadata("metadata", e.Metadata); err != nil {
		return err
	}
	f.set(&e.Description, "description")
	if f.has("url") {
		e.URL = f["url"]
	}
	if types := f.texts("enabled_events"); len(types) > 0 {
		e.EnabledEvents = types
	}
	if f.has("disabled") {
		e.Status = map[bool]string{true: endpointDisabled, false: endpointEnabled}[f.truth("disabled")]
	}
	return t.put(ctx, e)
}

// deleteEndpoint deletes the endpoint and its open deliveries.
func deleteEndpoint(ctx context.Context, t *txn, e *webhookEndpoint, _ form) (any, error) {
	_, err := t.ExecContext(ctx, `DELETE FROM stripe_sandbox.objects WHERE id = ANY ($1)`,
		[]string{e.ID, backstageID(e.ID)})
	if err != nil {
		return nil, fmt.Errorf("delete endpoint: %w", err)
	}
	return map[string]any{"id": e.ID, "object": kindEndpoint, "deleted": true}, t.Cancel(ctx, e.ID)
}

// ownEndpoint makes the product's webhook an endpoint like any other, at its public address. It moves the endpoint of
// an earlier start there.
func (t *txn) ownEndpoint(ctx context.Context, o Options) error {
	var id string
	err := t.QueryRowContext(ctx,
		`SELECT data ->> 'endpoint' FROM stripe_sandbox.objects WHERE kind = $1 AND (data ->> 'own')::boolean`,
		kindEndpointSecret).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		e := &webhookEndpoint{
			ID: newID("we_"), APIVersion: new(Version), Created: t.Now.Unix(), EnabledEvents: slices.Clone(o.WebhookEvents),
			Metadata: map[string]string{}, Status: endpointEnabled, URL: o.PublicWebhookURL,
		}
		return errors.Join(t.put(ctx, e), t.put(ctx, &endpointSecret{Endpoint: e.ID, Own: true}))
	}
	if err != nil {
		return fmt.Errorf("find own endpoint: %w", err)
	}
	var e webhookEndpoint
	if err := t.get(ctx, id, "", &e); err != nil {
		return err
	}
	e.URL = o.PublicWebhookURL
	return t.put(ctx, &e)
}
