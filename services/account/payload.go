package account

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// payloadMaxAge is how long the full payloads of booked events are kept.
const payloadMaxAge = 90 * 24 * time.Hour

// erasedUsers selects the accounts whose later events Sweep reduces.
const erasedUsers = `user_id IN (SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NOT NULL)`

// eventsSQL selects the events about the sessions, payments and customers of the users that a condition selects.
func eventsSQL(users string) string {
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

// oldEventsSQL selects booked or ignored events older than payloadMaxAge.
const oldEventsSQL = `SELECT event_id, payload FROM stripe_events
	WHERE NOT reduced AND status IN ('done', 'ignored') AND received_at < @before LIMIT @batch`

// reducePayloads reduces the payloads of the events that a query selects to the fields that we read.
func (s *Service) reducePayloads(ctx context.Context, query string, userID int64) error {
	for {
		var rows []models.StripeEvent
		args := map[string]any{"user": userID, "before": s.Now().Add(-payloadMaxAge), "batch": eraseBatch}
		if err := s.DB.WithContext(ctx).Raw(query, args).Scan(&rows).Error; err != nil {
			return fmt.Errorf("find events to reduce: %w", err)
		}
		for _, e := range rows {
			err := s.DB.WithContext(ctx).Exec(`UPDATE stripe_events SET payload = ?, reduced = true WHERE event_id = ?`,
				stripeapi.ReduceEvent(e.Payload), e.EventID).Error
			if err != nil {
				return fmt.Errorf("reduce event %s: %w", e.EventID, err)
			}
		}
		if len(rows) < eraseBatch {
			return nil
		}
	}
}
