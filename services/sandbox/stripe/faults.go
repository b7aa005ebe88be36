package stripe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The ways in which a call of the API can be made to go wrong.
const (
	faultError       = "error"        // 500 before anything ran: the same call again works
	faultErrorKept   = "error_kept"   // 500 as the answer to the call's idempotency key: the same call again gets it too
	faultRateLimit   = "rate_limit"   // 429, not worth an attempt at once
	faultLockTimeout = "lock_timeout" // 429, worth one
	faultHang        = "hang"         // no answer, nothing ran
	faultLostAnswer  = "lost_answer"  // no answer, although it ran
)

var faultKinds = []string{faultError, faultErrorKept, faultRateLimit, faultLockTimeout, faultHang, faultLostAnswer}

// hangTime is longer than any caller waits, and still ends.
const hangTime = 2 * time.Minute

// fault is one way in which calls go wrong from now on.
type fault struct {
	ID        int64  `json:"id"`
	Route     string `json:"route"` // "POST /v1/refunds", "POST *" or "*"
	Kind      string `json:"kind"`
	Remaining *int   `json:"remaining"` // calls to come, nil until it is taken away
	Hits      int    `json:"hits"`
}

// Left is how many calls the fault is still for, empty when it lasts.
func (f fault) Left() string { return left(f.Remaining) }

// faultRoutes are the routes that a fault can be set for.
func (s *Server) faultRoutes() []string {
	routes := []string{"*", "GET *", "POST *", "DELETE *"}
	for _, e := range s.endpoints() {
		routes = append(routes, e.pattern)
	}
	return routes
}

// takeFault is the fault that this call meets, empty when it meets none. The oldest that fits is used up first.
func (s *Server) takeFault(ctx context.Context, e *endpoint) (string, error) {
	method, _, _ := strings.Cut(e.pattern, " ")
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var kind string
	err := s.store.db.QueryRowContext(ctx, `WITH met AS MATERIALIZED (
			SELECT id FROM stripe_sandbox.faults WHERE route = ANY ($1) AND (remaining IS NULL OR remaining > 0)
			ORDER BY id LIMIT 1 FOR UPDATE)
		UPDATE stripe_sandbox.faults f SET remaining = f.remaining - 1, hits = f.hits + 1 FROM met WHERE f.id = met.id RETURNING f.kind`,
		[]string{"*", method + " *", e.pattern}).Scan(&kind)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look for faults: %w", err)
	}
	return kind, nil
}

// meetFault runs the call, unless a fault comes between.
func (s *Server) meetFault(r *http.Request, e *endpoint, params url.Values, by caller) (*answer, error) {
	kind, err := s.takeFault(r.Context(), e)
	if err != nil {
		return nil, err
	}
	switch kind {
	case faultHang:
		s.hang(r.Context())
		return &answer{lost: true}, nil
	case faultErrorKept:
		e = e.failing()
	case faultError, faultRateLimit, faultLockTimeout:
		return nil, refuseBy(kind)
	}
	a, err := s.run(r, e, params, by)
	if kind != faultLostAnswer {
		return a, err
	}
	if err != nil {
		s.log.Debug("stripe sandbox loses a refusal", "err", err, "request_id", by.RequestID)
	}
	return &answer{lost: true}, nil
}

// refuseBy is the answer of a fault that keeps the call from running.
func refuseBy(kind string) error {
	switch kind {
	case faultRateLimit:
		return &apiError{
			status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "rate_limit",
			message: "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
		}
	case faultLockTimeout:
		return &apiError{
			status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "lock_timeout",
			message: "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request. If you see this error frequently and are making multiple concurrent requests to a single object, make your requests serially or at a lower rate.",
		}
	default:
		return serverFault()
	}
}

func serverFault() *apiError {
	return &apiError{status: http.StatusInternalServerError, kind: "api_error", message: "An unknown error occurred."}
}

// failing is the endpoint with a fault in place of what it does, which counts as begun.
func (e endpoint) failing() *endpoint {
	e.serve = func(context.Context, *txn, *call) (any, error) {
		failure := serverFault()
		failure.begun = true
		return nil, failure
	}
	return &e
}

// hang waits until the caller gives up.
func (s *Server) hang(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.halted:
	case <-time.After(hangTime):
	}
}

// hangUp ends the connection without an answer.
func (s *Server) hangUp(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		err = connection.Close()
	}
	if err != nil {
		s.log.Debug("stripe sandbox cannot hang up", "err", err)
	}
}

// faults are those that are set.
func (t *txn) faults(ctx context.Context) (_ []fault, err error) {
	rows, err := t.QueryContext(ctx, `SELECT id, route, kind, remaining, hits FROM stripe_sandbox.faults
		WHERE remaining IS NULL OR remaining > 0 ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list faults: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := []fault{}
	for rows.Next() {
		var one fault
		if err := rows.Scan(&one.ID, &one.Route, &one.Kind, &one.Remaining, &one.Hits); err != nil {
			return nil, fmt.Errorf("list faults: %w", err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list faults: %w", err)
	}
	return all, nil
}

// setFault makes calls go wrong from now on.
func (s *Server) setFault(ctx context.Context, f control) (any, error) {
	wanted := fault{Route: f.text("route"), Kind: f.text("kind")}
	if err := f.only("route", "kind", "calls"); err != nil {
		return nil, err
	}
	if !slices.Contains(s.faultRoutes(), wanted.Route) {
		return nil, problem("route", "value", wanted.Route)
	}
	if !slices.Contains(faultKinds, wanted.Kind) {
		return nil, problem("kind", "value", wanted.Kind, "allowed", strings.Join(faultKinds, ", "))
	}
	calls, err := f.count("calls", 1, 1000, 0)
	if err != nil {
		return nil, err
	}
	if calls > 0 {
		wanted.Remaining = &calls
	}
	err = s.store.write(ctx, caller{}, func(ctx context.Context, t *txn) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM stripe_sandbox.faults WHERE remaining = 0`); err != nil {
			return fmt.Errorf("forget faults: %w", err)
		}
		err := t.QueryRowContext(ctx, `INSERT INTO stripe_sandbox.faults (route, kind, remaining) VALUES ($1, $2, $3) RETURNING id`,
			wanted.Route, wanted.Kind, wanted.Remaining).Scan(&wanted.ID)
		if err != nil {
			return fmt.Errorf("store fault: %w", err)
		}
		return nil
	})
	return wanted, err
}

// removeFault takes a fault away.
func (s *Server) removeFault(ctx context.Context, f control) (any, error) {
	var id int64
	err := s.store.write(ctx, caller{}, func(ctx context.Context, t *txn) error {
		err := t.QueryRowContext(ctx, `DELETE FROM stripe_sandbox.faults WHERE id::text = $1 RETURNING id`, f.id).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return missing("fault", f.id, pathParam["fault"])
		}
		if err != nil {
			return fmt.Errorf("delete fault: %w", err)
		}
		return nil
	})
	return map[string]any{"id": id, "deleted": true}, err
}
