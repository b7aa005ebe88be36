package outbound

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Request asks for an endpoint.
type Request struct {
	URL            string
	Events         []string // types, at least one
	LowThreshold   models.Credits
	IdempotencyKey string // of the admin's form; without one each call adds an endpoint
}

const columns = `e.id, e.url, e.events, e.low_threshold, e.created_by, e.created_at, e.disabled_at, e.disabled_cause`

// Add adds an endpoint and returns it with its secret, which is not shown again. Events that are booked afterwards are
// sent to it.
//
// Idempotent: by actor and idempotency key; a repeat returns the same endpoint and an empty secret.
// Errors: fault.Invalid for a wrong URL, event or threshold; fault.Conflict when there are MaxEndpoints already, or the
// idempotency key added another endpoint.
func (s *Service) Add(ctx context.Context, r Request) (endpoint models.WebhookEndpoint, secret string, err error) {
	events, err := s.clean(&r)
	if err != nil {
		return endpoint, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return endpoint, "", fmt.Errorf("webhook endpoint id: %w", err)
	}
	err = postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		endpoint, secret = models.WebhookEndpoint{}, ""
		if err := tx.Exec(uniqueEndpointsLock).Error; err != nil {
			return fmt.Errorf("lock the webhook endpoints: %w", err)
		}
		replayed, err := r.replay(tx, events, &endpoint)
		if replayed || err != nil {
			return err
		}
		var count int64
		if err := tx.Raw(`SELECT count(*) FROM webhook_endpoints`).Scan(&count).Error; err != nil {
			return fmt.Errorf("count webhook endpoints: %w", err)
		}
		if count >= MaxEndpoints {
			return fault.Because(fault.Conflict, fault.WebhookLimit)
		}
		err = tx.Raw(`INSERT INTO webhook_endpoints AS e (id, url, events, low_threshold, created_by, idempotency_key)
			VALUES (?, ?, ?::text[], ?, nullif(?::integer, 0), nullif(?::text, '')) RETURNING `+columns, id, r.URL, events,
			r.LowThreshold, models.ActorOf(ctx).AdminID, r.IdempotencyKey).Scan(&endpoint).Error
		if err != nil {
			return fmt.Errorf("store webhook endpoint: %w", err)
		}
		if secret, err = s.insertSecret(tx, id, ""); err != nil {
			return err
		}
		return audit(tx, models.ActionWebhookAdd, endpoint, map[string]any{"events": events.Strings()})
	})
	if err != nil {
		return models.WebhookEndpoint{}, "", err
	}
	if secret != "" {
		s.log.InfoContext(ctx, "webhook endpoint added", "endpoint_id", endpoint.ID)
	}
	return endpoint, secret, nil
}

// clean normalises and validates a request, and returns its events.
func (s *Service) clean(r *Request) (events models.WebhookEvents, err error) {
	r.URL = strings.TrimSpace(r.URL)
	if err := s.checkURL(r.URL); err != nil {
		return nil, err
	}
	for _, t := range models.WebhookTypes() {
		if slices.Contains(r.Events, string(t)) {
			events = append(events, t)
		}
	}
	unknown := func(text string) bool { return !events.Has(models.WebhookType(text)) }
	switch {
	case len(events) == 0 || slices.ContainsFunc(r.Events, unknown):
		return nil, fault.Field("events", fault.WebhookEvents)
	case r.LowThreshold < 1 || r.LowThreshold > MaxThreshold:
		return nil, fault.Field("low_threshold", fault.WebhookThreshold)
	}
	return events, checkKey(r.IdempotencyKey)
}

func checkKey(key string) error {
	if utf8.RuneCountInString(key) > maxIdempotencyKey || !models.Storable(key) {
		return fault.Field("idempotency_key", fault.KeyLength)
	}
	return nil
}

// replay finds the endpoint that this idempotency key added.
func (r *Request) replay(tx models.Tx, events models.WebhookEvents, endpoint *models.WebhookEndpoint) (bool, error) {
	if r.IdempotencyKey == "" {
		return false, nil
	}
	err := tx.Raw(`SELECT `+columns+` FROM webhook_endpoints e WHERE created_by = ? AND idempotency_key = ?`,
		models.ActorOf(tx.Statement.Context).AdminID, r.IdempotencyKey).Take(endpoint).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read earlier webhook endpoint: %w", err)
	case endpoint.URL != r.URL || endpoint.LowThreshold != r.LowThreshold || !slices.Equal(endpoint.Events, events):
		return false, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return true, nil
}

// List returns all endpoints, the oldest first, with the numbers of their deliveries.
func (s *Service) List(ctx context.Context) ([]models.WebhookEndpoint, error) {
	var all []models.WebhookEndpoint
	err := s.db.WithContext(ctx).Raw(`SELECT ` + columns + `,
			(SELECT max(expires_at) FROM webhook_secrets WHERE endpoint_id = e.id AND expires_at > now()) AS rotating_until,
			(SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = e.id AND status = 'pending') AS pending,
			(SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = e.id AND status = 'failed') AS failed
		FROM webhook_endpoints e ORDER BY created_at, id`).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list webhook endpoints: %w", err)
	}
	return all, nil
}

// SetEnabled lets an endpoint receive events, or stops that: a disabled endpoint misses the events that are booked
// meanwhile, and its pending deliveries wait.
//
// Locks: the endpoint. Idempotent. Errors: fault.NotFound.
func (s *Service) SetEnabled(ctx context.Context, id uuid.UUID, enabled bool) error {
	cause, action := models.DisabledByAdmin, models.ActionWebhookDisable
	if enabled {
		cause, action = "", models.ActionWebhookEnable
	}
	return s.setDisabled(ctx, id, cause, action)
}

// setDisabled disables an endpoint for a cause, or enables it.
func (s *Service) setDisabled(ctx context.Context, id uuid.UUID, cause models.DisabledCause,
	action models.Action) error {
	return s.change(ctx, id, action, func(tx models.Tx, e models.WebhookEndpoint) (map[string]any, error) {
		if (e.DisabledAt == nil) == (cause == "") {
			return nil, errUnchanged
		}
		var detail map[string]any
		if cause == models.DisabledGone {
			detail = map[string]any{"response": http.StatusGone}
		}
		return detail, tx.Exec(`UPDATE webhook_endpoints
			SET disabled_cause = ?, disabled_at = CASE WHEN ?::text = '' THEN NULL ELSE now() END WHERE id = ?`,
			cause, cause, id).Error
	})
}

// Remove deletes an endpoint, its secrets and its deliveries, also those that are not delivered.
//
// Locks: the endpoint. Errors: fault.NotFound.
func (s *Service) Remove(ctx context.Context, id uuid.UUID) error {
	remove := func(tx models.Tx, _ models.WebhookEndpoint) (map[string]any, error) {
		if err := tx.Exec(`DELETE FROM webhook_endpoints WHERE id = ?`, id).Error; err != nil {
			return nil, err
		}
		return nil, tx.Exec(`DELETE FROM webhook_deliveries WHERE endpoint_id = ?`, id).Error
	}
	return s.change(ctx, id, models.ActionWebhookRemove, remove)
}

// errUnchanged ends a change that finds nothing to do.
var errUnchanged = errors.New("unchanged")

// change runs fn on a locked endpoint and records the action with the details that fn returns.
func (s *Service) change(ctx context.Context, id uuid.UUID, action models.Action,
	fn func(tx models.Tx, e models.WebhookEndpoint) (map[string]any, error)) error {
	err := postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		var e models.WebhookEndpoint
		err := tx.Raw(`SELECT `+columns+` FROM webhook_endpoints e WHERE id = ? FOR UPDATE`, id).Take(&e).Error
		if err != nil {
			return postgres.Found(err, "lock webhook endpoint %s", id)
		}
		detail, err := fn(tx, e)
		if err != nil {
			return err
		}
		return audit(tx, action, e, detail)
	})
	switch {
	case errors.Is(err, errUnchanged):
		return nil
	case err != nil && fault.Of(err) == nil:
		return fmt.Errorf("%s: webhook endpoint %s: %w", action, id, err)
	case err == nil:
		s.log.InfoContext(ctx, "webhook endpoint changed", "endpoint_id", id, "action", action.String())
	}
	return err
}

// audit records a change. It names the endpoint by its id alone: URLs may contain secrets.
func audit(tx models.Tx, action models.Action, e models.WebhookEndpoint, detail map[string]any) error {
	all := map[string]any{"endpoint_id": e.ID}
	maps.Copy(all, detail)
	return models.AppendAudit(tx, models.AuditEvent{Action: action, Detail: all})
}
