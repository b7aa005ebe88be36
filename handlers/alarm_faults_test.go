package handlers

import (
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/health"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
	"github.com/resume-matcher/credits/services/spend"
)

// alarmFault is a fault, and the alerts that report it.
type alarmFault struct {
	name   string
	plant  func(*alarmFixture)
	once   bool     // happens once; others repeat at each scrape what the first has added to the counters
	alone  bool     // hides other faults on the same server
	alerts []string // the first is the fault's own
}

const (
	storeEvent = `INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, created_at_stripe, status,
		next_attempt_at) VALUES (gen_random_uuid(), 'charge.refunded', '', false, '{}', 0, ?,
		now() + ?::interval)`
	storeFinding = `INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id)
		SELECT max(id), ?, 'user:1' FROM reconciliations`
	storePurchase = `WITH price AS (INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents)
		VALUES ('price_x', 500, 2000) RETURNING stripe_price_id)
		INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
		idempotency_key, status) SELECT gen_random_uuid(), ?, stripe_price_id, 1, 500, 2000, 'eur', 'de',
		'review', 'review' FROM price`
	storeLetter = `INSERT INTO letters (id, kind, key, user_id, locale, status, created_at)
		SELECT gen_random_uuid(), 'refunded', gen_random_uuid(), ?, 'de', ?, now() - ?::interval`
	storeDelivery = `WITH endpoint AS (INSERT INTO webhook_endpoints (id, url, events, low_threshold)
		VALUES (gen_random_uuid(), 'https://crm.example.com/', '{credits.added}', 1) RETURNING id)
		INSERT INTO webhook_deliveries (endpoint_id, type, status, created_at)
		SELECT id, 'credits.added', ?, now() - ?::interval FROM endpoint`
	storeExpired = `INSERT INTO holds (id, user_id, feature, credits, status, expires_at, idempotency_key)
		SELECT gen_random_uuid(), ?, 'job_match', 5, 'expired', now(), 'expired ' || n FROM generate_series(1, 12) n`
)

// alarmFaults are the planted faults.
var alarmFaults = []alarmFault{
	{name: "database away", alone: true, alerts: []string{"CreditsDatabaseAway", "CreditsFiguresMissing"},
		plant: func(f *alarmFixture) {
			postgres.Close(f.checked)
			postgres.Close(f.figures)
		}},
	{name: "database read-only", alerts: []string{"CreditsDatabaseReadOnly"}, plant: func(f *alarmFixture) {
		if err := f.checked.Exec(`SET default_transaction_read_only = on`).Error; err != nil {
			f.t.Fatal(err)
		}
	}},
	{name: "database full", alerts: []string{"CreditsDatabaseFull"}, plant: func(f *alarmFixture) {
		app := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
		app.Get("/", func(*fiber.Ctx) error { return &pgconn.PgError{Code: "53100"} })
		real := f.app
		defer func() { f.app = real }()
		f.app = app
		f.times(1, "/", http.StatusServiceUnavailable)
	}},
	{name: "schema of another program", alone: true, alerts: []string{"CreditsDatabaseSchema"},
		plant: func(f *alarmFixture) {
			f.exec(`DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
		}},
	{name: "settings that distort values", alerts: []string{"CreditsDatabaseSettings"}, plant: func(f *alarmFixture) {
		settings := health.DatabaseSettings
		f.problem.Store(&settings)
	}},
	{name: "figures unreadable", alone: true, alerts: []string{"CreditsFiguresMissing"},
		plant: func(f *alarmFixture) { postgres.Close(f.figures) }},
	{name: "clock ahead", alerts: []string{"CreditsClockDiffers"}, plant: func(f *alarmFixture) {
		f.offset.Store(int64(10 * time.Minute))
	}},
	{name: "webhook secret of another endpoint", once: true, alerts: []string{"CreditsWebhookSecret"},
		plant: func(f *alarmFixture) { f.event("whsec_another", models.Now(), http.StatusBadRequest) }},
	{name: "events signed in the past", once: true, alerts: []string{"CreditsWebhookTime"}, plant: func(f *alarmFixture) {
		f.event("whsec_0123456789", models.Now().Add(-10*time.Minute), http.StatusBadRequest)
	}},
	{name: "no event of a refund", alerts: []string{"CreditsEventsMissing"},
		plant: func(f *alarmFixture) { f.exec(storeFinding, models.FindingRefund) }},
	{name: "no event of a paid session", once: true, alerts: []string{"CreditsEventsMissing"},
		plant: (*alarmFixture).sweepPaidSession},
	{name: "an event overdue", alerts: []string{"CreditsEventsOverdue", "CreditsEventsFail"},
		plant: func(f *alarmFixture) { f.exec(storeEvent, models.EventFailed, "-6 minutes") }},
	{name: "an event that fails", alerts: []string{"CreditsEventsFail"},
		plant: func(f *alarmFixture) { f.exec(storeEvent, models.EventFailed, "1 minute") }},
	{name: "an event in review", alerts: []string{"CreditsEventInReview"},
		plant: func(f *alarmFixture) { f.exec(storeEvent, models.EventReview, "0") }},
	{name: "a purchase in review", alerts: []string{"CreditsPurchaseInReview"},
		plant: func(f *alarmFixture) { f.exec(storePurchase, f.user) }},
	{name: "a finding in review", alerts: []string{"CreditsFindingInReview"},
		plant: func(f *alarmFixture) { f.exec(storeFinding, models.FindingReview) }},
	{name: "a wrong balance", alerts: []string{"CreditsBalanceWrong"},
		plant: func(f *alarmFixture) { f.exec(storeFinding, models.FindingBalance) }},
	{name: "no reconciliation for hours", alerts: []string{"CreditsReconcileStopped"}, plant: func(f *alarmFixture) {
		f.exec(`UPDATE reconciliations SET finished_at = now() - interval '4 hours'`)
	}},
	{name: "resumes of a deleted account", alerts: []string{"CreditsResumesKept"}, plant: func(f *alarmFixture) {
		f.exec(`DELETE FROM gate_users WHERE user_id = ?`, f.user)
		f.exec(openResumesSQL, f.user, strings.Repeat("a", 26))
	}},
	{name: "a hold that nobody ends", alerts: []string{"CreditsHoldsOverdue"}, plant: func(f *alarmFixture) {
		_, err := f.handler.Spend.Hold(f.t.Context(),
			spend.HoldRequest{Request: spend.Request{UserID: f.user, Feature: "job_match"}})
		if err != nil {
			f.t.Fatal(err)
		}
		f.exec(`UPDATE holds SET created_at = now() - interval '1 hour', expires_at = now() - interval '2 minutes'`)
	}},
	{name: "a program that captures nothing", alerts: []string{"CreditsHoldsExpire"},
		plant: func(f *alarmFixture) { f.exec(storeExpired, f.user) }},
	{name: "letters that were refused", alerts: []string{"CreditsLettersFail"},
		plant: func(f *alarmFixture) { f.exec(storeLetter, f.user, models.LetterFailed, "0") }},
	{name: "a mail server that is away", alerts: []string{"CreditsLettersWait"},
		plant: func(f *alarmFixture) { f.exec(storeLetter, f.user, models.LetterWaiting, "16 minutes") }},
	{name: "an endpoint that refuses its events", alerts: []string{"CreditsDeliveriesFail"},
		plant: func(f *alarmFixture) { f.exec(storeDelivery, models.DeliveryFailed, "73 hours") }},
	{name: "an endpoint that is away", alerts: []string{"CreditsDeliveriesFail"},
		plant: func(f *alarmFixture) { f.exec(storeDelivery, models.DeliveryPending, "61 minutes") }},
	{name: "requests that fail", alerts: []string{"CreditsErrors", "CreditsUnavailable"}, plant: func(f *alarmFixture) {
		f.handler.Ledger = &ledger.Service{DB: f.elsewhere(dbtest.URLOf(f.db), "/postgres")}
		f.times(8, "/api/credits/transactions", http.StatusInternalServerError, f.cookie)
	}},
	{name: "requests that find no database", alerts: []string{"CreditsUnavailable"}, plant: func(f *alarmFixture) {
		f.handler.Ledger = &ledger.Service{DB: f.elsewhere("postgres://app@127.0.0.1:9?sslmode=disable", "/app")}
		f.times(8, "/api/credits/transactions", http.StatusServiceUnavailable, f.cookie)
	}},
	{name: "slow requests", alerts: []string{"CreditsSlow"}, plant: func(f *alarmFixture) {
		for range 10 {
			f.handler.Metrics.Request("GET", "/:locale/billing", http.StatusOK, 2*time.Second)
		}
	}},
	{name: "Resume Matcher with unusable answers", alerts: []string{"CreditsGateFails"}, plant: func(f *alarmFixture) {
		const list = "/api/v1/resumes/list"
		f.matcher.SetTransport(resumematcher.NoUser, "GET "+list)
		f.times(6, list, http.StatusBadGateway, f.cookie)
	}},
	{name: "Resume Matcher without its add-on", alerts: []string{"CreditsGateClosed"}, plant: func(f *alarmFixture) {
		upstream, err := gate.NewUpstream("http://127.0.0.1:9", "", "not-a-secret")
		if err != nil {
			f.t.Fatal(err)
		}
		f.handler.Gate.AddOn = gate.NewAddOn(upstream, time.Now, f.handler.Site.Log)
		f.times(2, "/dashboard", http.StatusServiceUnavailable, f.cookie)
	}},
	{name: "wrong service keys", alerts: []string{"CreditsKeysRefused"}, plant: func(f *alarmFixture) {
		f.times(12, "/api/credits/balance", http.StatusUnauthorized, "Authorization: Bearer credits_wrong")
	}},
}
