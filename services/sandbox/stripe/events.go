package stripe

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

var eventParams = pageParams.with(schema{"type": anything, "types[]": anything, "delivery_success": boolean})

// eventColumns renders an event with the number of endpoints that have not accepted it yet.
const eventColumns = `data || jsonb_build_object('pending_webhooks', ` + delivery.Pending + `) AS data`

// emit stores an event about o, as o stands now, and queues its deliveries. before holds the previous attributes; nil
// where Stripe sends none.
func (t *txn) emit(ctx context.Context, kind string, o record, before map[string]any) error {
	object, err := t.shapes.render(o)
	if err != nil {
		return err
	}
	id := newID("evt_")
	about := map[string]any{"object": object}
	if before != nil {
		about["previous_attributes"] = before
	}
	event := map[string]any{
		"id": id, "object": kindEvent, "api_version": Version, "created": t.Now.Unix(), "livemode": false, "type": kind,
		"data":    about,
		"request": map[string]any{"id": orNull(t.caller.RequestID), "idempotency_key": orNull(t.caller.IdempotencyKey)},
	}
	data, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if err := t.Emit(ctx, id, kind, string(data)); err != nil {
		return err
	}
	t.emitted = append(t.emitted, id)
	return nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func listEvents(ctx context.Context, t *txn, c *call) (any, error) {
	var where condition
	where.and("id <> ?", "")
	if kind := c.form["type"]; kind != "" {
		where.and("type = ?", kind)
	}
	if kinds := c.form.texts("types"); len(kinds) > 0 {
		where.and("type = ANY (?)", kinds)
	}
	if c.form.has("delivery_success") {
		where.and("(delivered_at IS NOT NULL) = ?", c.form.truth("delivery_success"))
	}
	where.created(c.form)
	return t.page(ctx, "events", "/v1/events", where, c.form)
}

func retrieveEvent(ctx context.Context, t *txn, c *call) (any, error) {
	var data string
	err := t.QueryRowContext(ctx, `SELECT `+eventColumns+` FROM stripe_sandbox.events WHERE id = $1`, c.id).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, missing(kindEvent, c.id, pathParam[kindEvent])
	}
	if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	return decodeMap([]byte(data))
}
