package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

const (
	batchSize    = 8               // concurrent attempts per endpoint and process
	claimFor     = time.Minute     // longer than an attempt: afterwards another process may try
	recordWithin = 5 * time.Second // of an outcome, also while the process stops
	failurePause = time.Second     // after a full batch without a success
)

// claimSQL claims due deliveries of an enabled endpoint, the oldest first, for claimFor.
const claimSQL = `WITH due AS MATERIALIZED (
	SELECT id FROM webhook_deliveries
	WHERE endpoint_id = @endpoint AND status = 'pending' AND due_at <= now()
		AND EXISTS (SELECT FROM webhook_endpoints WHERE id = @endpoint AND disabled_at IS NULL)
	ORDER BY due_at, id LIMIT @size FOR UPDATE SKIP LOCKED
), claimed AS (
	UPDATE webhook_deliveries d SET attempts = attempts + 1, tried_at = now(), due_at = now() + cast(@claim AS float8) * interval '1 second'
	FROM due WHERE d.id = due.id RETURNING d.*
)
SELECT d.*, e.url, e.low_threshold, c.delta_credits, c.balance_after, c.reason, (c.meta ->> 'purchase_id')::uuid AS bought,
	(SELECT string_agg(s.sealed, ' ' ORDER BY s.id DESC) FROM (SELECT id, sealed FROM webhook_secrets
		WHERE endpoint_id = e.id AND (expires_at IS NULL OR expires_at > now()) ORDER BY id DESC LIMIT @signatures) s) AS secrets
FROM claimed d JOIN webhook_endpoints e ON e.id = d.endpoint_id LEFT JOIN credit_transactions c ON c.id = d.entry_id
ORDER BY d.id`

// recordSQL stores the outcomes of attempts, unless another process has claimed the delivery since.
const recordSQL = `UPDATE webhook_deliveries d SET status = r.status, response = r.response, failure = r.failure,
	due_at = CASE WHEN r.status = 'pending' THEN now() + r.wait * interval '1 second' ELSE d.due_at END
FROM json_to_recordset(?::json) r (id bigint, attempts int, status text, response int, failure text, wait float8)
WHERE d.id = r.id AND d.attempts = r.attempts AND d.status = 'pending'`

// drain sends the due deliveries of an endpoint until none is left or ctx ends. Attempts that run then go on while
// sending does.
func (s *Service) drain(ctx, sending context.Context, endpoint uuid.UUID) error {
	for ctx.Err() == nil {
		batch, err := s.claim(ctx, endpoint)
		if err != nil || len(batch) == 0 {
			return err
		}
		results := s.sendAll(sending, batch)
		if err := s.record(ctx, results); err != nil {
			return err
		}
		delivered := false
		for _, r := range results {
			delivered = delivered || r.Status == models.DeliveryDelivered
			if r.Response == http.StatusGone {
				return s.setDisabled(ctx, endpoint, models.DisabledGone, models.ActionWebhookDisable)
			}
		}
		if delivered || len(batch) < batchSize {
			continue
		}
		select { // an endpoint that fails at once has a long queue
		case <-ctx.Done():
		case <-time.After(failurePause):
		}
	}
	return nil
}

// claim claims a batch.
func (s *Service) claim(ctx context.Context, endpoint uuid.UUID) (batch []claimed, err error) {
	s.database.Lock()
	defer s.database.Unlock()
	err = s.db.WithContext(ctx).Raw(claimSQL, map[string]any{"endpoint": endpoint, "size": batchSize,
		"claim": claimFor.Seconds(), "signatures": maxSignatures}).Scan(&batch).Error
	if err != nil {
		return nil, fmt.Errorf("claim webhook deliveries: %w", err)
	}
	return batch, nil
}

// sendAll makes one attempt for each delivery, all at once, and returns the outcomes.
func (s *Service) sendAll(ctx context.Context, batch []claimed) []result {
	var mu sync.Mutex
	var all sync.WaitGroup
	var results []result
	for _, c := range batch {
		all.Go(func() {
			defer s.recovered(ctx)
			r := s.send(ctx, c)
			if ctx.Err() != nil && r.Status != models.DeliveryDelivered {
				return // the process stops: another tries when the claim ends
			}
			if r.Status == models.DeliveryFailed {
				s.log.WarnContext(ctx, "webhook delivery given up", "delivery_id", r.ID, "endpoint_id", c.EndpointID,
					"attempts", r.Attempts, "failure", r.Failure, "response", r.Response)
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
		})
	}
	all.Wait()
	return results
}

// recovered logs a panic of background work. Its value may quote a payload; its type and the stack do not.
func (s *Service) recovered(ctx context.Context) {
	if r := recover(); r != nil {
		s.log.ErrorContext(ctx, "background job panicked", "job", "deliver webhooks", "type", fmt.Sprintf("%T", r), "stack",
			string(debug.Stack()))
	}
}

// record stores outcomes, also while the process stops.
func (s *Service) record(ctx context.Context, results []result) error {
	if len(results) == 0 {
		return nil
	}
	text, err := json.Marshal(results)
	if err != nil {
		return fmt.Errorf("record webhook deliveries: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	s.database.Lock()
	defer s.database.Unlock()
	if err := s.db.WithContext(ctx).Exec(recordSQL, string(text)).Error; err != nil {
		return fmt.Errorf("record webhook deliveries: %w", err)
	}
	return nil
}
