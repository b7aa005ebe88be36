package stripe

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// parcel is a delivery on its way.
type parcel struct {
	id          int64
	event, kind string
	data        string // of the event
	url         string
	secrets     []string
	version     string // of the endpoint
	pending     int    // endpoints that still have to take the event
	tampered    bool   // signed with a secret that nobody has
	attempts    int
	backoff     int
}

// undone are the deliveries that may go out now or later: those behind another one may not before that was tried, and a
// disabled endpoint gets nothing.
const undone = `FROM stripe_sandbox.deliveries d
	JOIN stripe_sandbox.objects o ON o.id = d.endpoint AND o.data ->> 'status' = $1
	WHERE d.state = 'waiting' AND d.created_at > now() - interval '3 days' AND NOT EXISTS (
		SELECT FROM stripe_sandbox.deliveries first WHERE first.id = d.behind AND first.state = 'waiting'
			AND (first.attempts = 0 OR first.leased_until > now()))`

// claimQuery leases the next delivery that is due.
const claimQuery = `WITH next AS MATERIALIZED (
		SELECT d.id ` + undone + ` AND d.next_attempt_at <= now() AND d.leased_until <= now()
		ORDER BY d.next_attempt_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED)
	UPDATE stripe_sandbox.deliveries c
	SET attempts = c.attempts + 1, backoff = c.backoff + 1, leased_until = now() + make_interval(secs => $2)
	FROM next, stripe_sandbox.events, stripe_sandbox.objects o, stripe_sandbox.objects hidden
	WHERE c.id = next.id AND events.id = c.event AND o.id = c.endpoint AND hidden.id = c.endpoint || '/backstage'
	RETURNING c.id, c.event, events.type, events.data, ` + pendingWebhooks + `, c.attempts, c.backoff,
		c.mode = 'wrong_secret' AND (c.attempts = 1
			OR (c.lasting AND c.mode = (SELECT value ->> 'mode' FROM stripe_sandbox.settings WHERE name = 'delivery'))),
		o.data ->> 'url', coalesce(o.data ->> 'api_version', $3), hidden.data ->> 'secret', (hidden.data ->> 'own')::boolean`

// claim leases the next delivery that is due, nil when there is none. Close does not cut it short: a delivery leased
// without anybody knowing would lie there until the lease ends.
func (c *courier) claim(ctx context.Context) (*parcel, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	var p parcel
	var secret string
	var own bool
	err := c.store.db.QueryRowContext(ctx, claimQuery, endpointEnabled, int(lease.Seconds()), Version).Scan(
		&p.id, &p.event, &p.kind, &p.data, &p.pending, &p.attempts, &p.backoff, &p.tampered, &p.url, &p.version, &secret, &own)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claim event: %w", err)
	}
	if secret != "" {
		p.secrets = append(p.secrets, secret)
	}
	if own { // it is delivered to where the program listens
		p.url, p.secrets = c.url, append(p.secrets, c.secrets...)
	}
	return &p, nil
}

// strangerSecret is one that nobody has.
const strangerSecret = "whsec_of_a_stranger" //nolint:gosec // invented

// pack returns the body and its signature as they go over the wire.
func (p *parcel) pack(now time.Time) ([]byte, string, error) {
	event, err := decodeMap([]byte(p.data))
	if err != nil {
		return nil, "", err
	}
	event["api_version"], event["pending_webhooks"] = p.version, p.pending
	body, err := encode(event)
	if err != nil {
		return nil, "", err
	}
	secrets := p.secrets
	if p.tampered {
		secrets = []string{strangerSecret}
	}
	return []byte(body), signature(now, []byte(body), secrets), nil
}

func (c *courier) post(ctx context.Context, p *parcel) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, header, err := p.pack(time.Now())
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	r.Header.Set("Cache-Control", "no-cache")
	r.Header.Set("Stripe-Signature", header)
	answer, err := c.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("send event: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return answer.StatusCode, fmt.Errorf("read answer: %w", err)
	}
	return answer.StatusCode, nil
}

// signature is the Stripe-Signature header: the time, and one v1 for each secret.
func signature(now time.Time, payload []byte, secrets []string) string {
	stamp := fmt.Sprint(now.Unix())
	parts := []string{"t=" + stamp}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(stamp + "."))
		mac.Write(payload)
		parts = append(parts, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(parts, ",")
}

// outcome is what one attempt came to.
type outcome struct {
	status int
	ok     bool
	err    error
	took   time.Duration
}

// note stores the outcome and tells whether every endpoint has the event now. An attempt that Close cut short is due
// again at once. The two statements are no transaction: two endpoints that answer at once must see each other.
func (c *courier) note(ctx context.Context, p *parcel, o outcome) (complete bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	wait := backoff[min(p.backoff, len(backoff))-1]
	var text sql.NullString
	if o.err != nil {
		text = sql.NullString{String: o.err.Error(), Valid: true}
		if errors.Is(o.err, context.Canceled) {
			wait = 0
		}
	}
	_, err = c.store.db.ExecContext(ctx, `UPDATE stripe_sandbox.deliveries
		SET last_status = nullif($2::int, 0), last_error = $3, last_ms = $6, leased_until = '-infinity',
			state = CASE WHEN $4 THEN 'delivered' ELSE state END, delivered_at = CASE WHEN $4 THEN now() ELSE delivered_at END,
			next_attempt_at = now() + make_interval(secs => $5)
		WHERE id = $1`, p.id, o.status, text, o.ok, wait.Seconds(), o.took.Milliseconds())
	if err != nil {
		return false, fmt.Errorf("note delivery: %w", err)
	}
	if !o.ok {
		return false, nil
	}
	if _, err = c.store.db.ExecContext(ctx, settleEvents+` AND id = $1`, p.event); err != nil {
		return false, fmt.Errorf("settle event: %w", err)
	}
	err = c.store.db.QueryRowContext(ctx, `SELECT delivered_at IS NOT NULL FROM stripe_sandbox.events WHERE id = $1`, p.event).Scan(&complete)
	if err != nil {
		return false, fmt.Errorf("read event: %w", err)
	}
	return complete, nil
}
