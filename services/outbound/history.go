package outbound

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Deliveries returns the newest deliveries of all endpoints.
func (s *Service) Deliveries(ctx context.Context, limit int) ([]models.WebhookDelivery, error) {
	var all []models.WebhookDelivery
	err := s.db.WithContext(ctx).Raw(`SELECT d.*, e.url FROM webhook_deliveries d
		JOIN webhook_endpoints e ON e.id = d.endpoint_id ORDER BY d.id DESC LIMIT ?`, limit).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list webhook deliveries: %w", err)
	}
	return all, nil
}

const againSQL = `UPDATE webhook_deliveries SET status = 'pending', attempts = 0, due_at = now()`

// Replay sends a delivery again at once, with all its attempts, whether it failed, was delivered or waits.
//
// Errors: fault.NotFound for an unknown delivery.
func (s *Service) Replay(ctx context.Context, id int64) error {
	return postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		var endpoint []uuid.UUID
		if err := tx.Raw(againSQL+` WHERE id = ? RETURNING endpoint_id`, id).Scan(&endpoint).Error; err != nil {
			return fmt.Errorf("replay webhook delivery %d: %w", id, err)
		}
		if len(endpoint) == 0 {
			return fault.New(fault.NotFound, nil)
		}
		return audit(tx, models.ActionWebhookReplay, models.WebhookEndpoint{ID: endpoint[0]},
			map[string]any{"delivery_id": id})
	})
}

// ReplayFailed sends all failed deliveries of an endpoint again whose events were booked since a time, and returns how
// many.
//
// Locks: the endpoint, then the deliveries. Errors: fault.NotFound for an unknown endpoint.
func (s *Service) ReplayFailed(ctx context.Context, endpoint uuid.UUID, since time.Time) (n int64, err error) {
	err = s.change(ctx, endpoint, models.ActionWebhookReplay,
		func(tx models.Tx, _ models.WebhookEndpoint) (map[string]any, error) {
			replayed := tx.Exec(againSQL+` WHERE endpoint_id = ? AND status = 'failed' AND created_at >= ?`, endpoint, since)
			n = replayed.RowsAffected
			return map[string]any{"deliveries": n, "since": since.UTC().Format(time.RFC3339)}, replayed.Error
		})
	return n, err
}

// Sweep deletes deliveries older than deliveryRetention, and secrets that have expired.
func (s *Service) Sweep(ctx context.Context) (n int64, err error) {
	const atOnce = 1000
	n, err = postgres.InBatches(atOnce, func() *gorm.DB {
		return s.db.WithContext(ctx).Exec(`WITH expired AS (DELETE FROM webhook_secrets WHERE expires_at <= now())
			DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries ORDER BY id LIMIT ?)
				AND created_at < now() - interval '`+deliveryRetention+`'`, atOnce)
	})
	if err != nil {
		return n, fmt.Errorf("sweep webhook deliveries: %w", err)
	}
	return n, nil
}
