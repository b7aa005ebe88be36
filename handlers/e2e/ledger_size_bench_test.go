package e2e

import (
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/localpg"
	"github.com/resume-matcher/credits/services/spend"
)

// ledgerRows is the number of entries that BenchmarkLedgerSize adds. Ten million take minutes to write:
// go test ./handlers/e2e -run ^$ -bench LedgerSize -benchtime 1x -ledger-rows 10000000
var ledgerRows = flag.Int64("ledger-rows", 200_000, "entries of the large ledger in BenchmarkLedgerSize")

const (
	callsEach   = 2000 // sequential calls of each kind
	ledgerUsers = 20   // users they are for
	pageSize    = 50   // entries per page of a history
)

// BenchmarkLedgerSize compares a spend, a balance and the newest page of a history in a large ledger with the same
// calls in a ledger of a thousand entries, measured once, before it grows. One client, medians, durable database.
func BenchmarkLedgerSize(b *testing.B) {
	fx, server := newDurableFixture(b)
	for range pageSize { // 1000 entries: a full page for each of 20 users
		fx.exec(b,
			`WITH entry AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) SELECT id, 100000, 'manual' FROM users ORDER BY id LIMIT ? RETURNING user_id)
			UPDATE users SET credits_balance = credits_balance + 100000 WHERE id IN (SELECT user_id FROM entry)`, ledgerUsers)
	}
	spending, book := &spend.Service{DB: fx.db, Log: slog.New(slog.DiscardHandler)}, &ledger.Service{DB: fx.db}
	calls := map[string]func(user int64) error{
		"spend": func(user int64) error {
			_, err := spending.Spend(b.Context(), spend.Request{UserID: user, Feature: "job_match",
				Key: fmt.Sprint(time.Now().UnixNano())})
			return err
		},
		"balance": func(user int64) error {
			var credits int64
			return fx.db.Raw(`SELECT credits_balance FROM users WHERE id = ?`, user).Scan(&credits).Error
		},
		"history": func(user int64) error {
			_, err := book.History(b.Context(), user, 0, pageSize)
			return err
		},
	}
	median := func(call func(int64) error) time.Duration {
		took := make([]time.Duration, callsEach)
		for i := range took {
			began := time.Now()
			if err := call(fx.users[i%ledgerUsers]); err != nil {
				b.Fatal(err)
			}
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	round := func() map[string]time.Duration {
		took := map[string]time.Duration{}
		for name, call := range calls {
			took[name] = median(call)
		}
		return took
	}
	_ = round() // warms up
	short := round()
	growLedger(b, fx, server, *ledgerRows)
	_ = round()
	ratios := map[string][]float64{}
	for b.Loop() {
		for name, took := range round() {
			ratios[name] = append(ratios[name], float64(took)/float64(short[name]))
		}
	}
	for name, all := range ratios {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name+"/short")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(*ledgerRows), "rows")
	dbtest.CheckLedger(b, fx.db)
}

// growLedger adds entries for all users and updates the balances. It bypasses the triggers, which run per row.
func growLedger(b *testing.B, s *fixture, server *localpg.Server, rows int64) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), server.AdminURL("app"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	for _, statement := range []string{
		`SET session_replication_role = replica`,
		fmt.Sprintf(`INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, balance_after)
			SELECT u.id, 1, 'manual', jsonb_build_object('idempotency_key', 'flat_' || n), u.credits_balance + 1 + n / %[2]d
			FROM generate_series(0, %[1]d - 1) n JOIN users u ON u.id = %[3]d + n %% %[2]d`, rows, len(s.users), s.users[0]),
		`UPDATE users u SET credits_balance = l.balance_after FROM
			(SELECT DISTINCT ON (user_id) user_id, balance_after FROM credit_transactions ORDER BY user_id, id DESC) l WHERE l.user_id = u.id`,
		`VACUUM ANALYZE users`, `VACUUM ANALYZE credit_transactions`, `CHECKPOINT`,
	} {
		if _, err := conn.Exec(b.Context(), statement); err != nil {
			b.Fatalf("%.60s: %v", statement, err)
		}
	}
}
