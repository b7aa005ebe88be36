// Package apikey creates, lists, revokes and verifies service keys, with which programs call the API.
package apikey

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

// Limits of a service key.
const (
	MaxName          = 80        // characters
	MaxPerMinute     = 1_000_000 // calls
	DefaultPerMinute = 1000
	MaxDays          = 3650 // days until expiry
	maxFormKey       = 255  // characters of an idempotency key
)

// Service creates, revokes and verifies service keys. Use one per process: it caches valid keys for a second.
type Service struct {
	db     *gorm.DB
	limits *limit.Limiter
	log    *slog.Logger
	now    func() time.Time // of this process; limits follow the database's clock

	mu      sync.RWMutex
	cache   map[digest]*cachedKey
	flights singleflight.Group
	live    atomic.Pointer[validKeys]
}

// New returns the service for a database. log may be nil; now defaults to the monotonic clock of the machine.
func New(db *gorm.DB, limits *limit.Limiter, log *slog.Logger, now func() time.Time) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Service{db: db, limits: limits, log: log, now: now, cache: map[digest]*cachedKey{}}
}

// Request asks for a service key.
type Request struct {
	Name           string   // 1 to 80 characters, for people
	Scopes         []string // spend, read
	PerMinute      int      // calls, at most 1,000,000; 0 means no limit
	ExpiresInDays  int      // at most 3,650; 0 means never
	ActorID        int64    // the admin; 0 for an operator on the command line
	RequestID      string
	IdempotencyKey string // of the admin's form; without one each call creates a key
}

const columns = `id, name, prefix, scopes, per_minute, created_by, created_at, last_used_at, revoked_at, expires_at`

// validSQL is the condition of a valid key.
const validSQL = `revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`

// Create creates a service key. plaintext is the key itself, which is not stored anywhere.
//
// Idempotent: by actor and idempotency key; a repeat returns the same row and an empty plaintext.
// Errors: fault.Invalid for a wrong name, scope, limit or number of days; fault.Conflict when the idempotency key
// created another key.
func (k *Service) Create(ctx context.Context, r Request) (key models.APIKey, plaintext string, err error) {
	if err := r.clean(); err != nil {
		return models.APIKey{}, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return models.APIKey{}, "", fmt.Errorf("service key id: %w", err)
	}
	secret, created := newPlaintext(), false
	err = postgres.Transaction(ctx, k.db, func(tx models.Tx) error {
		if key, created, err = r.insert(tx, id, secret); err != nil {
			return err
		}
		if !created {
			key, err = r.replay(tx)
			return err
		}
		return audit(tx, models.ActionKeyCreate, key, r.ActorID, r.RequestID)
	})
	if err != nil {
		return models.APIKey{}, "", err
	}
	if !created {
		return key, "", nil
	}
	k.log.InfoContext(ctx, "service key created", "key_id", key.ID, "scopes", []string(key.Scopes), "per_minute",
		key.PerMinute, "actor_id", r.ActorID)
	return key, secret, nil
}

// clean normalises and validates a request.
func (r *Request) clean() error {
	r.Name = strings.TrimSpace(r.Name)
	requested := r.Scopes
	r.Scopes = nil
	for _, scope := range models.KeyScopes() {
		if slices.Contains(requested, scope) {
			r.Scopes = append(r.Scopes, scope)
		}
	}
	unknown := slices.ContainsFunc(requested,
		func(scope string) bool { return !slices.Contains(models.KeyScopes(), scope) })
	switch {
	case r.Name == "" || utf8.RuneCountInString(r.Name) > MaxName || !models.Storable(r.Name) ||
		strings.ContainsFunc(r.Name, unicode.IsControl):
		return fault.Field("name", fault.KeyNameLength)
	case unknown || len(r.Scopes) == 0:
		return fault.Field("scopes", fault.ScopesUnknown)
	case r.PerMinute < 0 || r.PerMinute > MaxPerMinute:
		return fault.Field("per_minute", fault.PerMinuteRange)
	case r.ExpiresInDays < 0 || r.ExpiresInDays > MaxDays:
		return fault.Field("expires_days", fault.KeyDaysRange)
	case utf8.RuneCountInString(r.IdempotencyKey) > maxFormKey || !models.Storable(r.IdempotencyKey):
		return fault.Field("idempotency_key", fault.KeyLength)
	}
	return nil
}

// insert stores the key, unless the idempotency key has already created one.
func (r *Request) insert(tx models.Tx, id uuid.UUID, secret string) (models.APIKey, bool, error) {
	hash := digestOf(secret)
	var rows []models.APIKey
	err := tx.Raw(
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes, per_minute, created_by, idempotency_key, expires_at)
		VALUES (?, ?, ?, ?, ?::text[], ?, nullif(?::integer, 0), nullif(?::text, ''), now() + make_interval(days => nullif(?::integer, 0)))
		ON CONFLICT ON CONSTRAINT api_keys_idempotency_key_key DO NOTHING RETURNING `+columns,
		id, r.Name, secret[:shownLength], hash[:], models.TextArray(r.Scopes), r.PerMinute, r.ActorID, r.IdempotencyKey,
		r.ExpiresInDays).Scan(&rows).Error
	if err != nil {
		return models.APIKey{}, false, fmt.Errorf("store service key: %w", err)
	}
	if len(rows) == 0 {
		return models.APIKey{}, false, nil
	}
	return rows[0], true, nil
}

// replay returns the key that this idempotency key created, if the request is the same.
func (r *Request) replay(tx models.Tx) (models.APIKey, error) {
	var key models.APIKey
	err := tx.Raw(`SELECT `+columns+` FROM api_keys WHERE created_by = ? AND idempotency_key = ?`, r.ActorID,
		r.IdempotencyKey).Scan(&key).Error
	if err != nil {
		return models.APIKey{}, fmt.Errorf("read earlier service key: %w", err)
	}
	var days int
	if key.ExpiresAt != nil {
		days = int(key.ExpiresAt.Sub(key.CreatedAt) / (24 * time.Hour))
	}
	if key.Name != r.Name || !slices.Equal(key.Scopes, r.Scopes) || key.PerMinute != r.PerMinute ||
		days != r.ExpiresInDays {
		return models.APIKey{}, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return key, nil
}

// audit records the creation or revocation of a key.
func audit(tx models.Tx, action models.Action, key models.APIKey, actorID int64, requestID string) error {
	detail := map[string]any{"key_id": key.ID, "name": key.Name, "prefix": key.Prefix, "scopes": key.Scopes,
		"per_minute": key.PerMinute}
	if key.ExpiresAt != nil {
		detail["expires"] = key.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return models.AppendAudit(tx, models.AuditEvent{ActorID: actorID, Action: action, RequestID: requestID,
		Detail: detail})
}

// List returns all keys: valid keys first, then newest first.
func (k *Service) List(ctx context.Context) ([]models.APIKey, error) {
	var keys []models.APIKey
	err := k.db.WithContext(ctx).Raw(`SELECT ` + columns + ` FROM api_keys ORDER BY NOT (` + validSQL +
		`), created_at DESC, id`).Scan(&keys).Error
	if err != nil {
		return nil, fmt.Errorf("list service keys: %w", err)
	}
	return keys, nil
}

// Find returns the key with an id or a prefix.
// Errors: fault.NotFound; fault.Conflict when several keys have the prefix.
func (k *Service) Find(ctx context.Context, name string) (models.APIKey, error) {
	id, err := uuid.Parse(name)
	if err != nil && !models.Storable(name) {
		return models.APIKey{}, fault.New(fault.NotFound, nil)
	}
	var keys []models.APIKey
	err = k.db.WithContext(ctx).Raw(`SELECT `+columns+` FROM api_keys WHERE id = ? OR prefix = ? LIMIT 2`, id, name).
		Scan(&keys).Error
	switch {
	case err != nil:
		return models.APIKey{}, fmt.Errorf("find service key: %w", err)
	case len(keys) == 0:
		return models.APIKey{}, fault.New(fault.NotFound, nil)
	case len(keys) > 1:
		return models.APIKey{}, fault.New(fault.Conflict, nil)
	}
	return keys[0], nil
}

// Revoke invalidates a key for ever, on all replicas within a second. Its row stays.
// Locks: the key. Idempotent: by id. Errors: fault.NotFound.
func (k *Service) Revoke(ctx context.Context, id uuid.UUID, actorID int64, requestID string) error {
	var revoked []struct {
		models.APIKey
		KeyHash []byte
	}
	err := postgres.Transaction(ctx, k.db, func(tx models.Tx) error {
		revoked = nil
		err := tx.Raw(`UPDATE api_keys SET revoked_at = now() WHERE id = ? AND revoked_at IS NULL RETURNING key_hash, `+
			columns, id).Scan(&revoked).Error
		if err != nil {
			return fmt.Errorf("revoke service key %s: %w", id, err)
		}
		if len(revoked) > 0 {
			return audit(tx, models.ActionKeyRevoke, revoked[0].APIKey, actorID, requestID)
		}
		var exists bool
		if err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM api_keys WHERE id = ?)`, id).Scan(&exists).Error; err != nil {
			return fmt.Errorf("look up service key %s: %w", id, err)
		}
		if !exists {
			return fault.New(fault.NotFound, nil)
		}
		return nil
	})
	if err != nil || len(revoked) == 0 {
		return err
	}
	k.forget(digest(revoked[0].KeyHash))
	k.log.InfoContext(ctx, "service key revoked", "key_id", id, "actor_id", actorID)
	return nil
}
