package stripe_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
)

// caller is a client that keeps no connection, so that Go's own repetition on a dead one does not come into it.
func (s *stand) caller(retries int64) *client.API {
	return client.New(secretKey, stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(s.URL()), MaxNetworkRetries: stripe.Int64(retries), EnableTelemetry: stripe.Bool(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
		HTTPClient:    &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}))
}

func (s *stand) named(t *testing.T, email string) int {
	t.Helper()
	n := 0
	list := s.api.Customers.List(&stripe.CustomerListParams{Email: stripe.String(email)})
	for list.Next() {
		n++
	}
	if err := list.Err(); err != nil {
		t.Fatalf("list customers: %v", err)
	}
	return n
}

func TestFaultsKeepCallsFromRunning(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		status int
		code   string
	}{
		"error": {http.StatusInternalServerError, ""}, "rate_limit": {http.StatusTooManyRequests, "rate_limit"},
		"lock_timeout": {http.StatusTooManyRequests, "lock_timeout"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.set(t, "/control/faults", "route=POST+/v1/customers&calls=2&kind="+kind)
			params := &stripe.CustomerParams{Email: stripe.String("erika@example.com")}
			params.SetIdempotencyKey("same")
			for range 2 {
				_, err := s.api.Customers.New(params)
				wantError(t, err, want.status, want.code, "")
			}
			if n := s.named(t, "erika@example.com"); n != 0 {
				t.Errorf("%d customers, want none", n)
			}
			if _, err := s.api.Customers.New(params); err != nil {
				t.Errorf("the third call: %v", err)
			}
		})
	}
}

func TestKeptErrorAnswersItsKeyForEver(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.set(t, "/control/faults", "route=POST+/v1/customers&calls=1&kind=error_kept")
	params := &stripe.CustomerParams{Email: stripe.String("erika@example.com")}
	params.SetIdempotencyKey("first")
	for range 2 {
		_, err := s.api.Customers.New(params)
		wantError(t, err, http.StatusInternalServerError, "", "")
	}
	params.SetIdempotencyKey("second")
	if _, err := s.api.Customers.New(params); err != nil {
		t.Errorf("under another key: %v", err)
	}
}

func TestLostAnswerWasCarriedOut(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.set(t, "/control/faults", "route=POST+*&calls=1&kind=lost_answer")
	params := &stripe.CustomerParams{Email: stripe.String("erika@example.com")}
	params.SetIdempotencyKey("same")
	_, err := s.caller(0).Customers.New(params)
	var answered *stripe.Error
	if err == nil || errors.As(err, &answered) {
		t.Errorf("err = %v, want a broken connection", err)
	}
	if n := s.named(t, "erika@example.com"); n != 1 {
		t.Errorf("%d customers, want 1", n)
	}
	again, err := s.api.Customers.New(params)
	if err != nil || again.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same call again: %v", err)
	}
	s.set(t, "/control/faults", "route=POST+/v1/customers&calls=1&kind=lost_answer")
	params.Email, params.IdempotencyKey = stripe.String("max@example.com"), nil
	if _, err := s.caller(1).Customers.New(params); err != nil {
		t.Errorf("with stripe-go's own repetition: %v", err)
	}
	if n := s.named(t, "max@example.com"); n != 1 {
		t.Errorf("%d customers, want 1", n)
	}
}

func TestHangingCallRunsNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	fault := s.set(t, "/control/faults", "route=*&kind=hang")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	params := &stripe.CustomerParams{Email: stripe.String("erika@example.com")}
	params.Context = ctx
	if _, err := s.caller(0).Customers.New(params); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the deadline", err)
	}
	status, answer := s.control(t, http.MethodGet, "/control/faults", "")
	set, _ := answer["data"].([]any)
	if status != http.StatusOK || len(set) != 1 || set[0].(map[string]any)["hits"] != 1.0 || set[0].(map[string]any)["remaining"] != nil {
		t.Errorf("faults = %v", answer)
	}
	if gone := s.set(t, "/control/faults/1/delete", ""); gone["id"] != fault["id"] || gone["deleted"] != true {
		t.Errorf("removed = %v", gone)
	}
	if n := s.named(t, "erika@example.com"); n != 0 {
		t.Errorf("%d customers, want none", n)
	}
}

func TestControlsRefuse(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ path, form, says string }{
		{"/control/delivery", "mode=loud", "There is no delivery “loud”"},
		{"/control/delivery", "mode=duplicate&times=1", "times must be a whole number from 2 to 20, not “1”"},
		{"/control/delivery", "mode=duplicate&times=many", "not “many”"},
		{"/control/delivery", "mode=shuffled&hold=1", "hold must be"},
		{"/control/delivery", "mode=dropped&events=0", "events must be"},
		{"/control/delivery", "mode=delayed&seconds=-1", "seconds must be"},
		{"/control/delivery", "mode=dropped&types=charge.exploded", "There is no event type “charge.exploded”"},
		{"/control/delivery", "mode=other_version&api_version=2024-06-20", "no API version other than 2024-06-20"},
		{"/control/delivery", "mode=normal&tiems=2", "There is no field tiems here"},
		{"/control/delivery", "redirect_first=maybe", "redirect_first must be true or false"},
		{"/control/faults", "route=POST+/v1/plans&kind=error", "There is no call “POST /v1/plans”"},
		{"/control/faults", "route=*&kind=fire", "There is no fault “fire”"},
		{"/control/faults", "route=*&kind=error&calls=0", "calls must be"},
		{"/control/release", "all=yes", "There is no field all here"},
		{"/control/events/evt_1/redeliver", "times=50", "times must be"},
		{"/control/events/evt_1/redeliver", "as=copy", "as must be event or second_event"},
		{"/control/delivery", "mode=%00", "The form cannot be read"},
	} {
		status, answer := s.control(t, http.MethodPost, c.path, c.form)
		failure, _ := answer["error"].(map[string]any)
		text, _ := failure["message"].(string)
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, c.says) {
			t.Errorf("POST %s %s = %d %q, want 422 %q", c.path, c.form, status, text, c.says)
		}
	}
	for _, path := range []string{"/control/events/evt_1/redeliver", "/control/faults/7/delete"} {
		if status, answer := s.control(t, http.MethodPost, path, ""); status != http.StatusNotFound {
			t.Errorf("POST %s = %d %v, want 404", path, status, answer)
		}
	}
	if state := s.state(t); state["mode"] != "normal" || state["redirect_first"] != false {
		t.Errorf("state = %v, want it untouched", state)
	}
	foreign := map[string]string{"Origin": "http://localhost:3000"}
	for _, path := range []string{"/control/delivery", "/control/release", "/control/faults", "/control/events/evt_1/redeliver"} {
		if got := s.do(t, http.MethodPost, path, url.Values{"mode": {"dropped"}}, foreign).StatusCode; got != http.StatusForbidden {
			t.Errorf("POST %s from elsewhere = %d, want 403", path, got)
		}
	}
}
