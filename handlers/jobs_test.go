package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/outbound"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// workers are the services with background work.
func workers(t *testing.T, db *gorm.DB, stripe string, now func() time.Time) *Handler {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	signIn, err := auth.New(auth.Options{DB: db, AppURL: "http://localhost", Secrets: testSecrets, Log: quiet, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	buy := &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789abcdef", stripe), Now: now, Log: quiet}
	return &Handler{
		Webhook: &webhook.Service{DB: db, Purchase: buy, Now: now, Log: quiet}, Purchase: buy,
		Account:    &account.Service{DB: db, Purchase: buy, Now: now, Log: quiet},
		Reconcile:  &reconcile.Service{DB: db, Purchase: buy, Now: now, Log: quiet},
		Spend:      &spend.Service{DB: db, Log: quiet},
		Withdrawal: &withdrawal.Service{DB: db, Purchases: buy, Now: now, Log: quiet},
		Sessions:   NewSessions(signIn.Sessions(), testSecrets, false), Limits: limit.New(db, nil),
		Outbound: outbound.New(db, testSecrets, outbound.Networks{}, quiet),
		Mail:     &mail.Service{DB: db, Now: models.Now, Log: quiet},
		Gate:     &gate.Service{DB: db, AddOn: &gate.AddOn{}, Log: quiet},
	}
}

// A day passes for the schedule. The database's clock, which the services use here, does not know, so the rows age
// instead.
func TestIdleServerLeavesTheDatabaseAlone(t *testing.T) {
	t.Parallel()
	const most = 12 // statements in any hour
	direct := dbtest.URL(t)
	wire, address := dbtest.NewWire(t, direct)
	var lists atomic.Int64
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			lists.Add(1)
		}
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, `{"object":"list","data":[],"has_more":false}`)
	}))
	t.Cleanup(stripe.Close)
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		db, err := postgres.Open(address, quiet)
		if err != nil {
			t.Fatal(err)
		}
		aside, err := postgres.Open(direct, quiet)
		if err != nil {
			t.Fatal(err)
		}
		h := workers(t, db, stripe.URL, func() (now time.Time) {
			if err := aside.Raw(`SELECT now()`).Row().Scan(&now); err != nil {
				t.Error(err)
			}
			return now
		})
		schedule := periodic.Schedule{DB: db, Log: quiet, Jobs: h.Jobs(),
			OnActivity: func(noted func()) { postgres.OnActivity(db, noted) }} // no job counts as a visitor
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { schedule.Run(ctx); close(ended) }()
		time.Sleep(2 * time.Minute)
		wire.Reset()
		longest, silent := 0, 0 // minutes
		for hour := range 24 {
			var sent []string
			for range 30 {
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if err := aside.Exec(`UPDATE reconciliations SET started_at = started_at - interval '2 minutes'`).Error; err != nil {
					t.Error(err)
				}
				statements, _ := wire.Reset()
				if silent += 2; len(statements) > 0 {
					silent = 0
				}
				longest, sent = max(longest, silent), append(sent, statements...)
			}
			if len(sent) > most {
				t.Errorf("hour %d: %d statements, want at most %d:\n%s", hour, len(sent), most, strings.Join(sent, "\n"))
			}
		}
		if longest < 24 {
			t.Errorf("the longest silence is %d min, want at least 24", longest)
		}
		var runs int64
		if err := aside.Raw(`SELECT count(*) FROM reconciliations`).Scan(&runs).Error; err != nil || runs < 24 {
			t.Errorf("%d reconciliations in a day (%v), want at least 24", runs, err)
		}
		if lists.Load() < 24*60/10 {
			t.Errorf("Stripe's events were listed %d times in a day, want every ten minutes at least", lists.Load())
		}
		stop()
		<-ended
		if err := postgres.Close(db); err != nil {
			t.Error(err)
		}
		if err := postgres.Close(aside); err != nil {
			t.Error(err)
		}
	})
}
