package outbound

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

func TestEndpointsAreChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct {
		request Request
		want    fault.Problem
	}{
		{Request{URL: "http://8.8.8.8", Events: everything, LowThreshold: 1}, fault.WebhookAddress},
		{Request{URL: "https://example.com", LowThreshold: 1, Events: []string{"credits.stolen"}}, fault.WebhookEvents},
		{Request{URL: "https://example.com", LowThreshold: 1, Events: []string{"webhook.test"}}, fault.WebhookEvents},
		{Request{URL: "https://example.com", LowThreshold: 1}, fault.WebhookEvents},
		{Request{URL: "https://example.com", Events: everything}, fault.WebhookThreshold},
		{Request{URL: "https://example.com", Events: everything, LowThreshold: MaxThreshold + 1}, fault.WebhookThreshold},
		{Request{URL: "https://example.com", Events: everything, LowThreshold: 1,
			IdempotencyKey: string(make([]byte, 256))}, fault.KeyLength},
	} {
		_, secret, err := f.Add(t.Context(), c.request)
		if got := fault.Of(err); got == nil || got.Problem != c.want || secret != "" {
			t.Errorf("add %+v = %v, want %s", c.request, err, c.want)
		}
	}
	if n := f.count(`SELECT count(*) FROM webhook_endpoints`); n != 0 {
		t.Errorf("%d endpoints, want 0", n)
	}
}

// However many are added at once, there are twenty.
func TestEndpointsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var refused atomic.Int64
	dbtest.Concurrently(MaxEndpoints+5, func(i int) {
		_, _, err := f.Add(t.Context(), Request{URL: "https://example.com/" + strconv.Itoa(i), Events: everything,
			LowThreshold: 1})
		if got := fault.Of(err); got != nil && got.Problem == fault.WebhookLimit {
			refused.Add(1)
		} else if err != nil {
			t.Errorf("add: %v", err)
		}
	})
	if all, err := f.List(t.Context()); err != nil || len(all) != MaxEndpoints || refused.Load() != 5 {
		t.Errorf("%d endpoints, %d refused, %v, want %d and 5", len(all), refused.Load(), err, MaxEndpoints)
	}
}

// A form that is sent twice adds one endpoint, and shows its secret once.
func TestFormAddsOneEndpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := models.WithActor(t.Context(), models.Actor{AdminID: f.user})
	r := Request{URL: "https://example.com", Events: everything, LowThreshold: 7, IdempotencyKey: "form"}
	first, secret, err := f.Add(ctx, r)
	f.must(err)
	again, none, err := f.Add(ctx, r)
	if err != nil || again.ID != first.ID || secret == "" || none != "" {
		t.Errorf("second = %s with secret %v, %v, want %s without", again.ID, none != "", err, first.ID)
	}
	r.LowThreshold = 8
	if _, _, err := f.Add(ctx, r); !fault.Is(err, fault.Conflict) {
		t.Errorf("another endpoint with the same key: %v, want a conflict", err)
	}
	if first.CreatedBy == nil || *first.CreatedBy != f.user {
		t.Errorf("created by %v, want user %d", first.CreatedBy, f.user)
	}
}

// A disabled endpoint misses what is booked meanwhile; what waited is sent once it is enabled.
func TestDisabledEndpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	endpoint, _ := f.add(r.URL)
	f.book(100)
	for range 2 {
		f.must(f.SetEnabled(t.Context(), endpoint.ID, false))
	}
	f.book(200)
	f.pass()
	if got := len(r.received()); got != 0 {
		t.Errorf("%d requests while disabled, want 0", got)
	}
	if err := f.Test(t.Context(), endpoint.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("test event of a disabled endpoint: %v, want not found", err)
	}
	f.must(f.SetEnabled(t.Context(), endpoint.ID, true))
	f.pass()
	if got := r.received(); len(got) != 1 || got[0].message.Data["deltaCredits"] != 100.0 {
		t.Errorf("%d requests after it was enabled, want the one that waited", len(got))
	}
	if n := f.count(`SELECT count(*) FROM audit_log WHERE action IN ('webhook.disable', 'webhook.enable')`); n != 2 {
		t.Errorf("%d audit entries, want 2: only changes count", n)
	}
}

func TestRemovedEndpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	endpoint, _ := f.add(r.URL)
	f.book(100)
	f.must(f.Remove(t.Context(), endpoint.ID))
	f.book(200)
	f.pass()
	for _, table := range []string{"webhook_endpoints", "webhook_secrets", "webhook_deliveries"} {
		if n := f.count(`SELECT count(*) FROM ` + table); n != 0 {
			t.Errorf("%d rows in %s, want 0", n, table)
		}
	}
	if got := len(r.received()); got != 0 {
		t.Errorf("%d requests, want 0", got)
	}
	for name, err := range map[string]error{
		"remove": f.Remove(t.Context(), endpoint.ID), "enable": f.SetEnabled(t.Context(), endpoint.ID, true),
		"test": f.Test(t.Context(), uuid.New()), "replay": f.Replay(t.Context(), 4711),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
}
