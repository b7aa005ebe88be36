package stripe

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

// parcel is a delivery on its way.
type parcel struct {
	id          int64
	event, kind string
	data        string // of the event
	url         string
	secrets     []string
	version     string // of the endpoint
	pending     int    // endpoints that still have to take the event
	disguise    mode   // what is wrong with this attempt
	options     plan
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

// claimQuery leases the next delivery that is due, together with its copies when they are to arrive at once.
const claimQuery = `WITH next AS MATERIALIZED (
		SELECT d.id, d.event, d.endpoint, d.mode ` + undone + ` AND d.next_attempt_at <= now() AND d.leased_until <= now()
		ORDER BY d.next_attempt_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED)
	UPDATE stripe_sandbox.deliveries c
	SET attempts = c.attempts + 1, backoff = c.backoff + 1, leased_until = now() + make_interval(secs => $2)
	FROM next, stripe_sandbox.events, stripe_sandbox.objects o, stripe_sandbox.objects hidden
	WHERE (c.id = next.id OR (next.mode = 'parallel' AND c.mode = 'parallel' AND c.event = next.event AND c.endpoint = next.endpoint
			AND c.state = 'waiting' AND c.attempts = 0 AND c.leased_until <= now()))
		AND events.id = c.event AND o.id = c.endpoint AND hidden.id = c.endpoint || '/backstage'
	RETURNING c.id, c.event, events.type, events.data, ` + pendingWebhooks + `, c.options, c.attempts, c.backoff,
		CASE WHEN c.attempts = 1 OR (c.lasting AND c.mode = (SELECT value ->> 'mode' FROM stripe_sandbox.settings WHERE name = 'delivery'))
			THEN c.mode ELSE 'normal' END,
		o.data ->> 'url', coalesce(o.data ->> 'api_version', $3), hidden.data ->> 'secret', (hidden.data ->> 'own')::boolean`

// claim leases the next delivery that is due, none when there is none. Close does not cut it short: a delivery leased
// without anybody knowing would lie there until the lease ends.
func (c *courier) claim(ctx context.Context) (_ []*parcel, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	rows, err := c.store.db.QueryContext(ctx, claimQuery, endpointEnabled, int(lease.Seconds()), Version)
	if err != nil {
		return nil, fmt.Errorf("claim event: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []*parcel
	for rows.Next() {
		p, err := c.scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("claim event: %w", err)
	}
	return all, nil
}

// scan reads one claimed delivery. What is for the program's own endpoint goes to where the program listens.
func (c *courier) scan(rows *sql.Rows) (*parcel, error) {
	var p parcel
	var options, secret string
	var own bool
	err := rows.Scan(&p.id, &p.event, &p.kind, &p.data, &p.pending, &options, &p.attempts, &p.backoff, &p.disguise,
		&p.url, &p.version, &secret, &own)
	if err == nil {
		err = json.Unmarshal([]byte(options), &p.options)
	}
	if err != nil {
		return nil, fmt.Errorf("claim event: %w", err)
	}
	if secret != "" {
		p.secrets = append(p.secrets, secret)
	}
	if own {
		p.url, p.secrets = c.url, append(p.secrets, c.secrets...)
	}
	return &p, nil
}

// rolledSecret is the old one while a secret is rolled, strangerSecret one that nobody has.
const (
	rolledSecret   = "whsec_rolled_away"   //nolint:gosec // invented
	strangerSecret = "whsec_of_a_stranger" //nolint:gosec // invented
)

// pack returns the body and its signature as they go over the wire, with what the mode makes of them.
func (p *parcel) pack(now time.Time) ([]byte, string, error) {
	event, err := decodeMap([]byte(p.data))
	if err != nil {
		return nil, "", err
	}
	event["api_version"], event["pending_webhooks"] = p.version, p.pending
	secrets, at, tail := p.secrets, now, ""
	off := time.Duration(p.options.Seconds) * time.Second
	switch p.disguise {
	case modeWrongSecret:
		secrets = []string{strangerSecret}
	case modeTwoSecrets:
		secrets = append([]string{rolledSecret}, secrets...)
	case modeOldStamp:
		at = now.Add(-off)
	case modeFutureStamp:
		at = now.Add(off)
	case modeTrailingByte:
		tail = " "
	case modeLivemode:
		enliven(event)
	case modeOtherVersion:
		event["api_version"] = p.options.Version
	case modeThin:
		event = thin(event, now)
	case modeNoData:
		delete(event, "data")
	}
	body, err := encode(event)
	if err != nil {
		return nil, "", err
	}
	return []byte(body + tail), signature(at, []byte(body), secrets), nil
}

// enliven makes an event one of live mode, together with the object that it tells of.
func enliven(event map[string]any) {
	event["livemode"] = true
	data, _ := event["data"].(map[string]any)
	if object, ok := data["object"].(map[string]any); ok && object["livemode"] != nil {
		object["livemode"] = true
	}
}

// thin is the event as the second generation of the API tells it: where to look, and nothing of what is there.
func thin(event map[string]any, now time.Time) map[string]any {
	return map[string]any{
		"id": event["id"], "object": "v2.core.event", "type": event["type"], "livemode": false,
		"created": now.UTC().Format("2006-01-02T15:04:05.000Z"), "related_object": nil,
	}
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
