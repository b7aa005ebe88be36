package handlers

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	stripehook "github.com/stripe/stripe-go/v79/webhook"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/health"
	"github.com/resume-matcher/credits/services/metrics"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// alarmFixture is a gate whose metrics a test scrapes like Prometheus, at moments of its own.
type alarmFixture struct {
	*gateFixture
	address string
	checked *gorm.DB                       // of the health check, one connection
	figures *gorm.DB                       // of the figures, one connection
	offset  atomic.Int64                   // of the server's clock, in nanoseconds
	scrapes atomic.Int64                   // so far; each reads everything anew
	problem atomic.Pointer[health.Problem] // that the health check finds besides; nil for none
}

func newAlarmFixture(t *testing.T) *alarmFixture {
	t.Helper()
	f := &alarmFixture{gateFixture: newGateFixture(t)}
	open := func() *gorm.DB {
		db, err := postgres.OpenSized(dbtest.URLOf(f.db), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { postgres.Close(db) })
		return db
	}
	f.checked, f.figures = open(), open()
	check := &health.Service{DB: f.checked, Schema: &postgres.SchemaCheck{DB: f.checked, Now: models.Now},
		Log: f.handler.Site.Log, Now: func() time.Time {
			return models.Now().Add(time.Duration(f.offset.Load() + 2*f.scrapes.Load()*int64(time.Second)))
		}}
	f.handler.Health = Health{NoteFull: check.NoteFull, Check: func(ctx context.Context) []health.Problem {
		found := check.Check(ctx)
		if p := f.problem.Load(); p != nil {
			found = append(slices.Clone(found), *p)
		}
		return found
	}}
	pool, err := f.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	f.handler.Metrics = metrics.New(metrics.Options{Version: "v1.2.3", Mode: "test", Pool: pool,
		Figures: (&admin.Service{DB: f.figures}).Figures, Problems: f.handler.Health.Problems,
		Codes: []string{"internal", "insufficient_credits"}, Reasons: []string{"secret", "time"},
		Now: func() time.Time { return time.Now().Add(time.Duration(f.scrapes.Load()) * time.Hour) }})
	f.app = NewApp(f.handler)
	f.address, _ = f.serve(transport.Slots{})
	f.exec(`INSERT INTO reconciliations (since, finished_at) VALUES (now(), now())`)
	f.serveVisitors()
	return f
}

func (f *alarmFixture) exec(query string, args ...any) {
	f.t.Helper()
	if err := f.db.Exec(query, args...).Error; err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
}

// read scrapes what an alert's selectors read. Nothing is kept from the last scrape.
func (f *alarmFixture) read(selectors []selector) map[string]float64 {
	f.t.Helper()
	f.scrapes.Add(1)
	series, _ := f.scrape(f.address)
	maps.DeleteFunc(series, func(name string, _ float64) bool {
		return !slices.ContainsFunc(selectors, func(s selector) bool { return s.selects(name) })
	})
	return series
}

// answered is read once the health check has asked the database in time, which a busy machine may delay.
func (f *alarmFixture) answered(selectors []selector) (series map[string]float64) {
	f.t.Helper()
	dbtest.Eventually(f.t, "a scrape with an answer of the database", func() bool {
		series = f.read(selectors)
		return series[`credits_health_problem{problem="database_away"}`] == 0
	})
	return series
}

// serveVisitors is the traffic of a quiet time: it has refusals, too.
func (f *alarmFixture) serveVisitors() {
	f.t.Helper()
	for _, r := range []struct {
		method, path, body, cookie string
		want                       int
	}{
		{"GET", "/en/login", "", "", 200}, {"GET", "/api/credits/balance", "", f.cookie, 200},
		{"GET", "/api/credits/balance", "", "", 401}, {"GET", "/en/none", "", "", 404},
		{"POST", "/api/credits/spend", `{"feature":"none"}`, f.cookie, 422}, {"GET", "/dashboard", "", f.cookie, 200},
	} {
		header := []string{ownOrigin}
		if r.cookie != "" {
			header = append(header, r.cookie)
		}
		if got := f.call(r.method, r.path, r.body, header...).status; got != r.want {
			f.t.Fatalf("%s %s: status %d, want %d", r.method, r.path, got, r.want)
		}
	}
	f.event("whsec_0123456789", models.Now(), http.StatusOK)
}

// sweepPaidSession books a purchase that Stripe calls paid, and whose event has not come.
func (f *alarmFixture) sweepPaidSession() {
	f.t.Helper()
	id := uuid.NewString()
	f.exec(`WITH price AS (INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents)
		VALUES ('price_swept', 500, 2000) RETURNING stripe_price_id)
		INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
		idempotency_key, checkout_session_id, created_at) SELECT ?, ?, stripe_price_id, 1, 500, 2000, 'eur', 'de',
		'swept', 'cs_swept', now() - interval '1 hour' FROM price`, id, f.user)
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"object":"list","data":[{"id":"cs_swept","object":"checkout.session","mode":"payment",
			"status":"complete","payment_status":"paid","payment_intent":{"id":"pi_swept","object":"payment_intent"},
			"currency":"eur","amount_subtotal":2000,"amount_total":2000,"client_reference_id":%[1]q,
			"metadata":{"credits":"500","purchase_id":%[1]q}}]}`, id)
	}))
	f.t.Cleanup(stripe.Close)
	s := &reconcile.Service{DB: f.db, Now: models.Now, Log: f.handler.Site.Log,
		OnEventMissing: f.handler.Metrics.EventMissing}
	s.Purchase = &purchase.Service{DB: f.db, Now: s.Now, Log: s.Log,
		Stripe: stripeapi.New("sk_test_0123456789abcdef", stripe.URL)}
	if _, err := s.Sweep(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// elsewhere opens another database than the fixture's.
func (f *alarmFixture) elsewhere(address, name string) *gorm.DB {
	f.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		f.t.Fatal(err)
	}
	u.Path = name
	db, err := postgres.OpenSized(u.String(), 1, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { postgres.Close(db) })
	return db
}

// times sends one request n times.
func (f *alarmFixture) times(n int, path string, want int, header ...string) {
	f.t.Helper()
	for range n {
		if got := f.call("GET", path, "", header...).status; got != want {
			f.t.Fatalf("%s: status %d, want %d", path, got, want)
		}
	}
}

// event sends an event that the secret signs at a moment.
func (f *alarmFixture) event(secret string, signed time.Time, want int) {
	f.t.Helper()
	payload := fmt.Sprintf(`{"id":"evt_%d","object":"event","type":"ping","livemode":false,"created":1800000000,`+
		`"data":{"object":{"id":"x"}}}`, signed.UnixNano())
	header := fmt.Sprintf("Stripe-Signature: t=%d,v1=%x", signed.Unix(),
		stripehook.ComputeSignature(signed, []byte(payload), secret))
	if r := f.call("POST", "/api/stripe/webhook", payload, header); r.status != want {
		f.t.Fatalf("an event: status %d, %s; want %d", r.status, r.body, want)
	}
}
