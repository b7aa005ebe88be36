package outbound

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// newSecret returns a random secret as receivers configure it.
func newSecret() string {
	var raw [secretBytes]byte
	rand.Read(raw[:]) // never returns an error
	return "whsec_" + base64.StdEncoding.EncodeToString(raw[:])
}

// insertSecret stores a new secret of an endpoint. It returns "" if the idempotency key has already made one.
func (s *Service) insertSecret(tx models.Tx, endpoint uuid.UUID, key string) (string, error) {
	secret := newSecret()
	stored := tx.Exec(`INSERT INTO webhook_secrets (endpoint_id, sealed, idempotency_key) VALUES (?, ?, nullif(?::text, ''))
		ON CONFLICT ON CONSTRAINT webhook_secrets_idempotency_key_key DO NOTHING`,
		endpoint, s.secrets.Seal(sealPurpose, []byte(secret)), key)
	if stored.Error != nil {
		return "", fmt.Errorf("store webhook secret: %w", stored.Error)
	}
	if stored.RowsAffected == 0 {
		return "", nil
	}
	return secret, nil
}

// Rotate gives an endpoint a new secret, which is not shown again. Requests are signed with the old ones too for
// RotationOverlap.
//
// Locks: the endpoint. Idempotent: by key, if there is one; a repeat returns an empty secret. Errors: fault.NotFound.
func (s *Service) Rotate(ctx context.Context, id uuid.UUID, key string) (secret string, err error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	rotate := func(tx models.Tx, _ models.WebhookEndpoint) (detail map[string]any, err error) {
		if secret, err = s.insertSecret(tx, id, key); err != nil {
			return nil, err
		}
		if secret == "" {
			return nil, errUnchanged
		}
		return nil, tx.Exec(`UPDATE webhook_secrets SET expires_at = now() + ?::float8 * interval '1 second'
			WHERE endpoint_id = ? AND expires_at IS NULL AND id < (SELECT max(id) FROM webhook_secrets WHERE endpoint_id = ?)`,
			RotationOverlap.Seconds(), id, id).Error
	}
	if err := s.change(ctx, id, models.ActionWebhookRotate, rotate); err != nil {
		return "", err
	}
	return secret, nil
}

// Reseal seals the secrets that an older SESSION_SECRET sealed with the current one, so that the old one can be
// dropped.
func (s *Service) Reseal(ctx context.Context) error {
	var all []struct {
		ID     int64
		Sealed string
	}
	db := s.db.WithContext(ctx)
	if err := db.Raw(`SELECT id, sealed FROM webhook_secrets ORDER BY id`).Scan(&all).Error; err != nil {
		return fmt.Errorf("read webhook secrets: %w", err)
	}
	for _, row := range all {
		if _, current := s.secrets[:1].Open(sealPurpose, row.Sealed); current {
			continue
		}
		plain, ok := s.secrets.Open(sealPurpose, row.Sealed)
		if !ok {
			continue // its deliveries say so
		}
		err := db.Exec(`UPDATE webhook_secrets SET sealed = ? WHERE id = ?`, s.secrets.Seal(sealPurpose, plain), row.ID).Error
		if err != nil {
			return fmt.Errorf("reseal webhook secret %d: %w", row.ID, err)
		}
	}
	return nil
}

// errSecret says that no SESSION_SECRET opens an endpoint's secret.
var errSecret = errors.New("webhook secret cannot be opened")

// sign returns the signature header of a body: one signature for each secret of the endpoint, the newest first.
func (s *Service) sign(sealed []string, messageID string, sent time.Time, body []byte) (string, error) {
	var signatures []string
	for _, text := range sealed {
		plain, ok := s.secrets.Open(sealPurpose, text)
		if !ok {
			continue
		}
		key, err := standardwebhooks.NewWebhook(string(plain))
		if err != nil {
			return "", fmt.Errorf("webhook secret: %w", err)
		}
		signature, err := key.Sign(messageID, sent, body)
		if err != nil {
			return "", fmt.Errorf("sign webhook: %w", err)
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) == 0 {
		return "", errSecret
	}
	return strings.Join(signatures, " "), nil
}

// Test sends a webhook.test event to an endpoint, also to one that asked for other events.
//
// Locks: the endpoint. Errors: fault.NotFound for an unknown or disabled endpoint.
func (s *Service) Test(ctx context.Context, id uuid.UUID) error {
	test := func(tx models.Tx, e models.WebhookEndpoint) (map[string]any, error) {
		if e.DisabledAt != nil {
			return nil, fault.New(fault.NotFound, nil)
		}
		return nil, tx.Exec(`INSERT INTO webhook_deliveries (endpoint_id, type) VALUES (?, ?)`, id, models.WebhookTest).Error
	}
	return s.change(ctx, id, models.ActionWebhookTest, test)
}
