package spend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// serviceKey stores a service key that no well-formed plaintext matches.
func serviceKey(t *testing.T, db *gorm.DB) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	err := db.Exec(
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes) VALUES (?, 'Test', 'rmc_test', sha256(?::text::bytea), ARRAY['spend'])`,
		id, id.String()).Error
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func request(caller uuid.UUID, user int64, feature, key string) spend.HoldRequest {
	return spend.HoldRequest{Request: spend.Request{Caller: caller, UserID: user, Feature: feature, Key: key}}
}

func TestHold(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	caller := serviceKey(t, db)

	t.Run("answers a repeat with the original hold, even after its capture", func(t *testing.T) {
		r := request(caller, user, "resume_analysis", "a")
		r.Metadata = json.RawMessage(`{"b": 1e3, "a": "ü<"}`)
		first, err := s.Hold(ctx, r)
		if err != nil || first.Credits != 10 || first.Status != models.HoldOpen || *first.APIKeyID != caller {
			t.Fatalf("hold = %+v, %v; want 10 credits, open, the caller's", first, err)
		}
		if life := first.ExpiresAt.Sub(first.CreatedAt); life != spend.DefaultTTL {
			t.Errorf("it lasts %v, want %v", life, spend.DefaultTTL)
		}
		if _, err := s.Capture(ctx, caller, first.ID.String(), nil); err != nil {
			t.Fatal(err)
		}
		again, err := s.Hold(ctx, r)
		if err != nil || !again.Replayed {
			t.Fatalf("repeat = %+v, %v; want a replay", again, err)
		}
		again.Replayed = false
		was, _ := json.Marshal(first)
		is, _ := json.Marshal(again)
		if string(was) != string(is) {
			t.Errorf("repeat  = %s\nwant the first, %s", is, was)
		}
		if now, err := s.Find(ctx, caller, first.ID.String()); err != nil || now.Status != models.HoldCaptured {
			t.Errorf("the hold itself = %+v, %v; want captured", now, err)
		}
	})
	t.Run("refuses the key for anything else", func(t *testing.T) {
		other := request(caller, user, "job_match", "a")
		longer := request(caller, user, "resume_analysis", "a")
		longer.TTL, longer.Metadata = time.Hour, json.RawMessage(`{"b": 1e3, "a": "ü<"}`)
		for name, r := range map[string]spend.HoldRequest{"another feature": other, "another TTL": longer} {
			if _, err := s.Hold(ctx, r); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: error = %v, want conflict", name, err)
			}
		}
		if _, err := s.Spend(ctx, other.Request); !fault.Is(err, fault.Conflict) {
			t.Errorf("a spend under a hold's key: error = %v, want conflict", err)
		}
	})
	t.Run("refuses a TTL out of range and malformed ids", func(t *testing.T) {
		for _, ttl := range []time.Duration{-time.Second, time.Second - 1, 24*time.Hour + 1} {
			r := request(caller, user, "job_match", "")
			r.TTL = ttl
			if _, err := s.Hold(ctx, r); fault.Of(err) == nil || fault.Of(err).Problem != fault.TTLRange {
				t.Errorf("%v: error = %v, want out of range", ttl, err)
			}
		}
		for _, id := range []string{"", "1", "1 or 1=1", strings.ToUpper(uuid.NewString()), "{" + uuid.NewString() + "}",
			uuid.NewString()} {
			if _, err := s.Find(ctx, caller, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("find %q: error = %v, want not found", id, err)
			}
			if _, err := s.Capture(ctx, caller, id, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("capture %q: error = %v, want not found", id, err)
			}
		}
	})
	t.Run("is hidden from other callers", func(t *testing.T) {
		held, err := s.Hold(ctx, request(caller, user, "job_match", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []uuid.UUID{uuid.Nil, serviceKey(t, db)} {
			if _, err := s.Find(ctx, other, held.ID.String()); !fault.Is(err, fault.NotFound) {
				t.Errorf("find: error = %v, want not found", err)
			}
			if _, err := s.Release(ctx, other, held.ID.String()); !fault.Is(err, fault.NotFound) {
				t.Errorf("release: error = %v, want not found", err)
			}
		}
	})
	dbtest.CheckLedger(t, db)
}

func TestExpireDue(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	for range 6 {
		if _, err := s.Hold(ctx, request(uuid.Nil, user, "resume_analysis", "")); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Exec(`UPDATE holds SET expires_at = now() WHERE id IN (SELECT id FROM holds ORDER BY id LIMIT 4)`).
		Error; err != nil {
		t.Fatal(err)
	}
	var ended atomic.Int64
	dbtest.Concurrently(20, func(int) {
		n, err := s.ExpireDue(ctx)
		if err != nil {
			t.Errorf("expire: %v", err)
		}
		ended.Add(n)
	})
	var after models.User
	if err := db.Take(&after, user).Error; err != nil || after.CreditsHeld != 20 || ended.Load() != 4 {
		t.Errorf("%d holds expired, %d credits held (%v); want 4 and 20", ended.Load(), after.CreditsHeld, err)
	}
	dbtest.CheckLedger(t, db)
}

// A changed price applies to later requests only; open holds and repeats are unaffected.
func TestPriceOfLaterHolds(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	before, err := s.Hold(ctx, request(uuid.Nil, user, "job_match", "before"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errorsOf(db, `UPDATE feature_prices SET credits = 7 WHERE feature = 'job_match'`,
		`INSERT INTO feature_prices (feature, credits, label_en, label_de) VALUES ('cover_letter', 3, 'Cover letter', 'Anschreiben')`); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Capture(ctx, uuid.Nil, before.ID.String(), nil); err != nil || done.Captured != 5 {
		t.Errorf("capture = %+v, %v; want the 5 credits that were held", done, err)
	}
	if again, err := s.Hold(ctx, request(uuid.Nil, user, "job_match", "before")); err != nil || again.Credits != 5 {
		t.Errorf("repeat = %+v, %v; want 5 credits", again, err)
	}
	for feature, credits := range map[string]models.Credits{"job_match": 7, "cover_letter": 3} {
		if held, err := s.Hold(ctx, request(uuid.Nil, user, feature, "")); err != nil || held.Credits != credits {
			t.Errorf("%s holds %d credits (%v), want %d", feature, held.Credits, err, credits)
		}
		if posted, err := s.Spend(ctx, request(uuid.Nil, user, feature, "").Request); err != nil ||
			posted.DeltaCredits != -credits {
			t.Errorf("%s takes %d credits (%v), want %d", feature, posted.DeltaCredits, err, -credits)
		}
	}
	dbtest.CheckLedger(t, db)
}

func errorsOf(db *gorm.DB, statements ...string) error {
	for _, statement := range statements {
		if err := db.Exec(statement).Error; err != nil {
			return err
		}
	}
	return nil
}

// While a transaction of one user runs, further requests queue. The next transaction runs them in order, and each gets
// its own answer.
func TestRequestsOfOneUserShareATransaction(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 200)
	ctx := context.Background()
	var requests sync.WaitGroup
	var done, refused atomic.Int64
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, user); err != nil { // as another replica does
			return err
		}
		for i := range 50 {
			requests.Go(func() {
				_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: fmt.Sprint(i)})
				switch {
				case err == nil:
					done.Add(1)
				case fault.Is(err, fault.InsufficientCredits):
					refused.Add(1)
				default:
					t.Errorf("spend: %v", err)
				}
			})
		}
		dbtest.WaitForBlocked(t, db, 1)
		var connections int64
		if err := db.Raw(
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(
			&connections).Error; err != nil {
			return err
		}
		if connections != 1 {
			t.Errorf("%d connections wait for the user, want 1", connections)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	requests.Wait()
	if done.Load() != 40 || refused.Load() != 10 {
		t.Errorf("%d spends worked and %d were refused, want 40 and 10", done.Load(), refused.Load())
	}
	var transactions int64
	if err := db.Raw(`SELECT count(DISTINCT xmin::text) FROM credit_transactions WHERE reason = 'job_match'`).
		Scan(&transactions).Error; err != nil || transactions > 10 {
		t.Errorf("the spends ran in %d transactions (%v), want at most 10", transactions, err)
	}
	dbtest.CheckLedger(t, db)
}

// A repeat waits for the first request's answer for a bounded time. A waiter that times out does not affect the others.
func TestRepeatWhileTheFirstIsRunning(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	first := make(chan error, 1)
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, user); err != nil {
			return err
		}
		go func() {
			_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "k"})
			first <- err
		}()
		dbtest.WaitForBlocked(t, db, 1)
		impatient, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := s.Spend(impatient, spend.Request{UserID: user, Feature: "job_match",
			Key: "other"}); !postgres.Away(err) {
			t.Errorf("request that gave up: error = %v, want a time-out", err)
		}
		_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "k"})
		if f := fault.Of(err); f == nil || f.Code != fault.Conflict || f.Problem != fault.StillRunning ||
			f.Detail["retryAfter"] == nil {
			t.Errorf("repeat: error = %v, want a conflict with a retry time", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Errorf("first request: %v", err)
	}
	if again, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "k"}); err != nil ||
		!again.Replayed || again.BalanceAfter != 95 {
		t.Errorf("repeat after it = %+v, %v; want its answer", again, err)
	}
	dbtest.CheckLedger(t, db)
}

func TestAccount(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	for name, c := range map[string]struct {
		id     int64
		email  string
		create bool
		want   fault.Code
	}{
		"by id":                   {id: user},
		"by address, in any case": {email: " ADA@Example.com"},
		"negative":                {id: -1, want: fault.NotFound},
		"beyond the column":       {id: 1 << 31, want: fault.NotFound},
		"unknown address":         {email: "eve@example.com", want: fault.NotFound},
		"no address":              {email: "eve", create: true, want: fault.Invalid},
		"nothing":                 {want: fault.Invalid},
	} {
		got, err := s.Account(ctx, c.id, c.email, c.create)
		if c.want != "" && !fault.Is(err, c.want) || c.want == "" && (err != nil || got != user) {
			t.Errorf("%s: account = %d, %v; want user %d or %q", name, got, err, user, c.want)
		}
	}
	made := sync.Map{}
	dbtest.Concurrently(20, func(int) {
		id, err := s.Account(ctx, 0, "new@example.com", true)
		if err != nil {
			t.Errorf("create: %v", err)
		}
		made.Store(id, true)
	})
	accounts := 0
	made.Range(func(any, any) bool { accounts++; return true })
	if accounts != 1 {
		t.Errorf("twenty requests made %d accounts, want one", accounts)
	}
	dbtest.CheckLedger(t, db)
}

// A call that fails for every user creates no account. A call that only lacks credits does, so that the user can buy
// some.
func TestAccountOfARefusal(t *testing.T) {
	t.Parallel()
	s, db, _ := setUp(t, 100)
	ask := func(feature string, want fault.Code, accounts int64) {
		t.Helper()
		r := spend.Request{Caller: serviceKey(t, db), Email: "new@example.com", Create: true, Feature: feature, Key: "k"}
		if _, err := s.Spend(context.Background(), r); !fault.Is(err, want) {
			t.Errorf("spend on %s: %v, want %s", feature, err, want)
		}
		if _, err := s.Hold(context.Background(), spend.HoldRequest{Request: r}); !fault.Is(err, want) {
			t.Errorf("hold for %s: %v, want %s", feature, err, want)
		}
		var n int64
		if err := db.Model(&models.User{}).Where("email = 'new@example.com'").Count(&n).Error; err != nil || n != accounts {
			t.Errorf("%s: %d accounts (%v), want %d", feature, n, err, accounts)
		}
	}
	ask("no_such", fault.Invalid, 0)
	ask("job_match", fault.InsufficientCredits, 1)
}

// Behind a pooler, statements are not prepared and the database infers each value's type from the statement text.
func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	_, db, user := setUp(t, 100)
	pooled, err := postgres.Open(dbtest.URLOf(db)+"&pgbouncer=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(pooled) })
	s := &spend.Service{DB: pooled, Log: slog.New(slog.DiscardHandler)}
	ctx := t.Context()
	for _, caller := range []uuid.UUID{uuid.Nil, serviceKey(t, db)} {
		r := request(caller, user, "job_match", "spend")
		r.Metadata = json.RawMessage(`{"resume":7}`)
		for _, replayed := range []bool{false, true} {
			if posted, err := s.Spend(ctx, r.Request); err != nil || posted.DeltaCredits != -5 || posted.Replayed != replayed {
				t.Errorf("spend = %+v, %v", posted, err)
			}
		}
		r.Key = "hold"
		for _, replayed := range []bool{false, true} {
			if held, err := s.Hold(ctx, r); err != nil || held.Credits != 5 || held.Replayed != replayed {
				t.Errorf("hold = %+v, %v", held, err)
			}
		}
		var id string
		if err := db.Raw(`SELECT id FROM holds WHERE status = 'open'`).Scan(&id).Error; err != nil {
			t.Fatal(err)
		}
		few := models.Credits(2)
		if done, err := s.Capture(ctx, caller, id, &few); err != nil || done.Captured != 2 {
			t.Errorf("capture = %+v, %v", done, err)
		}
		r.Key = "another"
		other, err := s.Hold(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if done, err := s.Release(ctx, caller, other.ID.String()); err != nil || done.Status != models.HoldReleased {
			t.Errorf("release = %+v, %v", done, err)
		}
	}
	if _, err := s.ExpireDue(ctx); err != nil {
		t.Errorf("expire: %v", err)
	}
	if _, err := s.Account(ctx, 0, "new@example.com", true); err != nil {
		t.Errorf("account: %v", err)
	}
	if _, err := s.Features(ctx); err != nil {
		t.Errorf("features: %v", err)
	}
	dbtest.CheckLedger(t, db)
}
