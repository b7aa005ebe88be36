package stripe

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// maxKeyLength is what Stripe allows an idempotency key.
const maxKeyLength = 255

// answer is a finished response of the API.
type answer struct {
	status   int
	body     string
	original string    // the request it first answered, when it is a replay
	refusal  *apiError // set when the answer is an error
}

// lockKey holds the key until the end of the transaction. It does not wait: Stripe refuses a request while another with
// the same key runs.
func (t *txn) lockKey(ctx context.Context, key string) error {
	var free bool
	err := t.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`,
		"stripe_sandbox:"+key).Scan(&free)
	if err != nil {
		return fmt.Errorf("lock idempotency key: %w", err)
	}
	if !free {
		return &apiError{
			status: http.StatusConflict, kind: "idempotency_error", code: "idempotency_key_in_use",
			message: "There is currently another in-progress request using this Idempotency Key (that probably means you submitted twice, and the other request is still going through). Please try again later.",
		}
	}
	return nil
}

// replay returns the answer stored under the key within the last day, nil when there is none.
func (t *txn) replay(ctx context.Context, key, requestHash string) (*answer, error) {
	var a answer
	var hash string
	err := t.QueryRowContext(ctx, `SELECT request_hash, request_id, status, body FROM stripe_sandbox.idempotency
		WHERE key = $1 AND created_at >= now() - interval '24 hours'`, key).
		Scan(&hash, &a.original, &a.status, &a.body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read idempotency key: %w", err)
	}
	if hash != requestHash {
		return nil, &apiError{
			status: http.StatusBadRequest, kind: "idempotency_error",
			message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request.",
		}
	}
	return &a, nil
}

// saveAnswer stores the answer under the key for a day, and deletes older answers.
func (t *txn) saveAnswer(ctx context.Context, key, requestHash string, a *answer) error {
	_, err := t.ExecContext(ctx, `DELETE FROM stripe_sandbox.idempotency WHERE created_at < now() - interval '24 hours'`)
	if err != nil {
		return fmt.Errorf("forget idempotency keys: %w", err)
	}
	_, err = t.ExecContext(ctx,
		`INSERT INTO stripe_sandbox.idempotency (key, request_hash, request_id, status, body) VALUES ($1, $2, $3, $4, $5)`,
		key, requestHash, t.caller.RequestID, a.status, a.body)
	if err != nil {
		return fmt.Errorf("keep idempotency key: %w", err)
	}
	return nil
}

// hashRequest identifies a request, so that another one under the same key is refused.
func hashRequest(method, path string, params url.Values) string {
	sum := sha256.Sum256([]byte(method + " " + path + "\n" + params.Encode()))
	return hex.EncodeToString(sum[:])
}
