package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// sweepPeriod is the pause between two searches for expired sessions.
const sweepPeriod = 15 * time.Second

func listLineItems(ctx context.Context, t *txn, cs *session, _ form) (any, error) {
	return t.lineItems(ctx, cs.ID, pathParam[kindSession])
}

// lineItems returns the lines of a session, in their order, on one page.
func (t *txn) lineItems(ctx context.Context, session, param string) (map[string]any, error) {
	data, err := t.data(ctx, kindBackstage, backstageID(session), param)
	if err != nil {
		return nil, err
	}
	var back backstage
	if err := json.Unmarshal(data, &back); err != nil {
		return nil, fmt.Errorf("decode line items: %w", err)
	}
	items := []any{}
	for _, raw := range back.Items {
		one, err := decodeMap(raw)
		if err != nil {
			return nil, err
		}
		items = append(items, one)
	}
	return envelope("/v1/checkout/sessions/"+session+"/line_items", items, false), nil
}

func expireSession(ctx context.Context, t *txn, cs *session, _ form) (any, error) {
	if cs.Status != statusOpen {
		return nil, refused("", "",
			"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of %s.",
			cs.Status)
	}
	return cs, t.expire(ctx, cs)
}

// expireByControl expires an open session as if its time had passed.
func expireByControl(ctx context.Context, t *txn, cs *session, _ form) (any, error) {
	if cs.Status != statusOpen {
		return nil, conflict("session_not_open", "Session %s is %s: only an open one can expire.", cs.ID, cs.Status)
	}
	return cs, t.expire(ctx, cs)
}

func (t *txn) expire(ctx context.Context, cs *session) error {
	cs.Status, cs.URL = statusExpired, nil
	return errors.Join(t.put(ctx, cs), t.emit(ctx, "checkout.session.expired", cs, nil))
}

// expireSessions expires sessions whose time has passed, until ctx is done.
func (s *Server) expireSessions(ctx context.Context) {
	tick := time.NewTicker(sweepPeriod)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("stripe sandbox: expire sessions failed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) sweep(ctx context.Context) error {
	due := func(ctx context.Context, t *txn) ([]string, error) {
		return delivery.Column[string](ctx, &t.Tx, `SELECT id FROM stripe_sandbox.objects
			WHERE kind = $1 AND data ->> 'status' = 'open' AND (data ->> 'expires_at')::bigint <= $2 LIMIT 100`,
			kindSession, t.Now.Unix())
	}
	var found bool
	err := s.store.read(ctx, func(ctx context.Context, t *txn) error {
		ids, err := due(ctx, t)
		found = len(ids) > 0
		return err
	})
	if err != nil || !found { // nearly always: no need for the lock
		return err
	}
	err = s.store.write(ctx, caller{}, func(ctx context.Context, t *txn) error {
		ids, err := due(ctx, t)
		if err != nil {
			return err
		}
		for _, id := range ids {
			var cs session
			if err := t.get(ctx, id, "", &cs); err != nil {
				return err
			}
			if err := t.expire(ctx, &cs); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.deliverer.Wake()
	}
	return err
}
