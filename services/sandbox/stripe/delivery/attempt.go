package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxAnswer bounds how much of an endpoint's answer is read.
const maxAnswer = 1 << 20

// wrongSecret belongs to no endpoint.
const wrongSecret = "whsec_of_a_stranger" //nolint:gosec // invented

// attempt is one try to deliver an event to an endpoint.
type attempt struct {
	id          int64 // of the delivery
	event, kind string
	body        string
	url         string
	secrets     []string
	tampered    bool // to be signed with wrongSecret
	number      int
	backoff     int
}

// open selects the deliveries that are due now or later. A delivery behind another one waits until that was tried, and
// a disabled endpoint gets nothing.
const open = `FROM stripe_sandbox.deliveries d JOIN ` + endpoints + ` e ON e.id = d.endpoint AND e.enabled
	WHERE d.state = 'waiting' AND d.created_at > now() - interval '3 days' AND NOT EXISTS (
		SELECT FROM stripe_sandbox.deliveries first WHERE first.id = d.behind AND first.state = 'waiting'
			AND (first.attempts = 0 OR first.leased_until > now()))`

// claimQuery leases the next delivery that is due and renders its event as it stands now.
const claimQuery = `WITH next AS MATERIALIZED (
		SELECT d.id, e.url, e.version, e.secret, e.own ` + open + ` AND d.next_attempt_at <= now() AND d.leased_until <= now()
		ORDER BY d.next_attempt_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED)
	UPDATE stripe_sandbox.deliveries c
	SET attempts = c.attempts + 1, backoff = c.backoff + 1, leased_until = now() + make_interval(secs => $1)
	FROM next, stripe_sandbox.events
	WHERE c.id = next.id AND events.id = c.event
	RETURNING c.id, c.event, events.type,
		events.data || jsonb_build_object('pending_webhooks', ` + Pending + `,
			'api_version', coalesce(next.version, events.data ->> 'api_version')),
		c.attempts, c.backoff,
		c.mode = 'wrong_secret' AND (c.attempts = 1
			OR (c.lasting AND c.mode = (SELECT value ->> 'mode' FROM stripe_sandbox.settings WHERE name = 'delivery'))),
		next.url, next.secret, next.own`

// claim leases the next delivery that is due, and returns nil when there is none. Shutting down does not interrupt it:
// a delivery that is leased unnoticed would be stuck until the lease ends.
func (d *Deliverer) claim(ctx context.Context) (*attempt, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), QueryTimeout)
	defer cancel()
	var a attempt
	var secret string
	var own bool
	err := d.db.QueryRowContext(ctx, claimQuery, int(lease.Seconds())).Scan(
		&a.id, &a.event, &a.kind, &a.body, &a.number, &a.backoff, &a.tampered, &a.url, &secret, &own)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claim delivery: %w", err)
	}
	if secret != "" {
		a.secrets = append(a.secrets, secret)
	}
	if own {
		a.url, a.secrets = d.own.URL, append(a.secrets, d.own.Secrets...)
	}
	return &a, nil
}

// encode returns the body, indented as Stripe does it, and its signature.
func (a *attempt) encode(now time.Time) ([]byte, string, error) {
	var body bytes.Buffer
	if err := json.Indent(&body, []byte(a.body), "", "  "); err != nil {
		return nil, "", fmt.Errorf("encode event: %w", err)
	}
	secrets := a.secrets
	if a.tampered {
		secrets = []string{wrongSecret}
	}
	return body.Bytes(), sign(now, body.Bytes(), secrets), nil
}

// sign returns the Stripe-Signature header: the time, and one v1 signature for each secret.
func sign(now time.Time, body []byte, secrets []string) string {
	stamp := fmt.Sprint(now.Unix())
	parts := []string{"t=" + stamp}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(stamp + "."))
		mac.Write(body)
		parts = append(parts, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(parts, ",")
}

// send posts the event and returns the status of the answer.
func (d *Deliverer) send(ctx context.Context, a *attempt) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, signature, err := a.encode(time.Now())
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	r.Header.Set("Cache-Control", "no-cache")
	r.Header.Set("Stripe-Signature", signature)
	answer, err := d.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("send event: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return answer.StatusCode, fmt.Errorf("read answer: %w", err)
	}
	return answer.StatusCode, nil
}

// result is the outcome of one attempt.
type result struct {
	status int
	ok     bool
	err    error
	took   time.Duration
}

// record stores the result of an attempt. An attempt that shutting down interrupted is due again at once. The two
// updates do not form a transaction: when two endpoints answer at once, each update must see the other's.
func (d *Deliverer) record(ctx context.Context, a *attempt, r result) error {
	ctx, cancel := context.WithTimeout(ctx, QueryTimeout)
	defer cancel()
	wait := backoff[min(a.backoff, len(backoff))-1]
	var text sql.NullString
	if r.err != nil {
		text = sql.NullString{String: r.err.Error(), Valid: true}
		if errors.Is(r.err, context.Canceled) {
			wait = 0
		}
	}
	_, err := d.db.ExecContext(ctx, `UPDATE stripe_sandbox.deliveries
		SET last_status = nullif($2::int, 0), last_error = $3, last_ms = $6, leased_until = '-infinity',
			state = CASE WHEN $4 THEN 'delivered' ELSE state END, delivered_at = CASE WHEN $4 THEN now() ELSE delivered_at END,
			next_attempt_at = now() + make_interval(secs => $5)
		WHERE id = $1`, a.id, r.status, text, r.ok, wait.Seconds(), r.took.Milliseconds())
	if err != nil {
		return fmt.Errorf("store result: %w", err)
	}
	if !r.ok {
		return nil
	}
	if _, err = d.db.ExecContext(ctx, markDelivered+` AND id = $1`, a.event); err != nil {
		return fmt.Errorf("mark event delivered: %w", err)
	}
	return nil
}
