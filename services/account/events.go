package account

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// payloadMaxAge is after what time nobody needs to know what else an event said.
const payloadMaxAge = 90 * 24 * time.Hour

// ofDeleted is whose events eventsOf finds for Sweep.
const ofDeleted = `user_id IN (SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NOT NULL)`

// eventsOf finds the events about some users' sessions, payments and customers.
func eventsOf(users string) string {
	return `WITH bought AS (
	SELECT checkout_session_id AS ref FROM purchases WHERE ` + users + ` AND checkout_session_id IS NOT NULL
	UNION SELECT recovered_from FROM purchases WHERE ` + users + ` AND recovered_from IS NOT NULL
	UNION SELECT payment_intent_id FROM purchases WHERE ` + users + ` AND payment_intent_id IS NOT NULL
), known AS (
	SELECT ref FROM bought
	UNION SELECT c.charge_id FROM stripe_charges c JOIN bought ON c.payment_ref = bought.ref
	UNION SELECT customer_id FROM stripe_customers WHERE ` + users + `
)
SELECT event_id, payload FROM stripe_events WHERE event_id IN (
	SELECT e.event_id FROM known JOIN stripe_events e ON e.object_id = known.ref AND e.object_id <> ''
	UNION SELECT e.event_id FROM known JOIN stripe_events e ON e.payment_ref = known.ref AND e.payment_ref <> ''
) AND NOT reduced LIMIT @batch`
}

// oldEventsSQL finds events that are done with and whose payload is old.
const oldEventsSQL = `SELECT event_id, payload FROM stripe_events
	WHERE NOT reduced AND status IN ('done', 'ignored') AND received_at < @before LIMIT @batch`

// reduceEvents cuts the payloads of the events that a query finds down to what we read.
func (s *Service) reduceEvents(ctx context.Context, query string, userID int64) error {
	for {
		var rows []models.StripeEvent
		err := s.DB.WithContext(ctx).Raw(query, map[string]any{"user": userID, "before": s.Now().Add(-payloadMaxAge), "batch": eraseBatch}).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("events to reduce: %w", err)
		}
		for _, e := range rows {
			err := s.DB.WithContext(ctx).Exec(`UPDATE stripe_events SET payload = ?, reduced = true WHERE event_id = ?`, reducePayload(e.Payload), e.EventID).Error
			if err != nil {
				return fmt.Errorf("reduce event %s: %w", e.EventID, err)
			}
		}
		if len(rows) < eraseBatch {
			return nil
		}
	}
}

// keptFields are what package webhook reads of an object. Values that may be objects of their own are cut to their id.
var keptFields = []string{"id", "object", "mode", "status", "payment_status", "client_reference_id", "payment_intent", "customer", "charge", "product",
	"currency", "amount", "amount_refunded", "amount_subtotal", "amount_total", "failure_reason", "recovered_from"}

// reducePayload leaves of an event what booking it again would read, and nothing of who paid. What cannot be read is
// left out altogether.
func reducePayload(payload []byte) []byte {
	var event struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Account string `json:"account"`
		Data    struct {
			Object map[string]json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if json.Unmarshal(payload, &event) != nil {
		return []byte(`{}`)
	}
	kept := map[string]any{}
	for _, name := range keptFields {
		if value, ok := event.Data.Object[name]; ok {
			kept[name] = onlyID(value)
		}
	}
	for name, fields := range map[string][]string{"metadata": {"credits", "purchase_id", "userId", stripeapi.TagKey}, "currency_conversion": {"source_currency", "amount_subtotal"}} {
		var inner map[string]json.RawMessage
		if json.Unmarshal(event.Data.Object[name], &inner) != nil || inner == nil {
			continue
		}
		part := map[string]any{}
		for _, field := range fields {
			if value, ok := inner[field]; ok {
				part[field] = value
			}
		}
		kept[name] = part
	}
	var moved []struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	if json.Unmarshal(event.Data.Object["balance_transactions"], &moved) == nil && len(moved) > 0 {
		kept["balance_transactions"] = moved
	}
	envelope := map[string]any{"id": event.ID, "type": event.Type, "data": map[string]any{"object": kept}}
	if event.Account != "" {
		envelope["account"] = event.Account
	}
	reduced, err := json.Marshal(envelope)
	if err != nil { // of texts that were JSON a moment ago
		return []byte(`{}`)
	}
	return reduced
}

func onlyID(value json.RawMessage) any {
	var object struct {
		ID string `json:"id"`
	}
	if len(value) > 0 && value[0] == '{' {
		if json.Unmarshal(value, &object) != nil {
			return nil
		}
		return object.ID
	}
	return value
}
