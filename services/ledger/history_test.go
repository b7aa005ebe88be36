package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// lengthen posts a grant and then n analyses of ten credits for a user, one per second from the given moment.
func lengthen(t testing.TB, db *gorm.DB, userID int64, n int, from string) {
	t.Helper()
	for _, statement := range []string{
		`ALTER TABLE credit_transactions DISABLE TRIGGER USER`, `ALTER TABLE users DISABLE TRIGGER USER`,
		fmt.Sprintf(`INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after, created_at)
			SELECT %[1]d, CASE n WHEN 0 THEN %[2]d * 10 + 7 ELSE -10 END, CASE n WHEN 0 THEN 'manual' ELSE 'resume_analysis' END, (%[2]d - n) * 10 + 7,
				timestamptz '%[3]s' + n * interval '1 second' FROM generate_series(0, %[2]d) n`, userID, n, from),
		fmt.Sprintf(`UPDATE users SET credits_balance = 7 WHERE id = %d`, userID),
		`ALTER TABLE credit_transactions ENABLE TRIGGER USER`, `ALTER TABLE users ENABLE TRIGGER USER`,
		`ANALYZE credit_transactions`,
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatalf("%.60s: %v", statement, err)
		}
	}
}

// all reads a history page by page to its end.
func all(t *testing.T, s *ledger.Service, userID int64, limit int, f ledger.Filter) (ids []int64, pages int) {
	t.Helper()
	for before := int64(0); ; pages++ {
		page, err := s.Search(t.Context(), userID, before, limit, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if e.UserID != userID {
				t.Fatalf("entry %d belongs to user %d", e.ID, e.UserID)
			}
			ids = append(ids, e.ID)
		}
		if page.Next == 0 {
			return ids, pages + 1
		}
		before = page.Next
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user, other := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "bob@example.com")
	book := func(userID int64, delta models.Credits, reason models.Reason, meta models.Meta) int64 {
		return mustPost(t, db, ledger.Entry{UserID: userID, Delta: delta, Reason: reason, Meta: meta}).ID
	}
	bought := book(user.ID, 500, models.ReasonPurchase, models.Meta{PurchaseID: "0190aaaa-0000-7000-8000-000000000001"})
	book(other.ID, 500, models.ReasonManual, models.Meta{Note: "100%_sure"})
	given := book(user.ID, 20, models.ReasonManual, models.Meta{Note: `100%_sure \o/`})
	spent := book(user.ID, -10, models.ReasonResumeAnalysis, models.Meta{})
	matched := book(user.ID, -5, models.ReasonJobMatch, models.Meta{HoldID: "0190bbbb-0000-7000-8000-000000000002"})
	taken := book(user.ID, -100, models.ReasonRefund, models.Meta{PurchaseID: "0190aaaa-0000-7000-8000-000000000001"})
	lost := book(user.ID, -100, models.ReasonDispute, models.Meta{})
	now := time.Now()
	for _, c := range []struct {
		name   string
		filter ledger.Filter
		want   []int64
	}{
		{"nothing", ledger.Filter{}, []int64{lost, taken, matched, spent, given, bought}},
		{"purchases", ledger.Filter{Reason: models.ReasonPurchase}, []int64{bought}},
		{"refunds", ledger.Filter{Reason: models.ReasonRefund}, []int64{taken}},
		{"disputes", ledger.Filter{Reason: models.ReasonDispute}, []int64{lost}},
		{"adjustments", ledger.Filter{Reason: models.ReasonManual}, []int64{given}},
		{"a feature", ledger.Filter{Reason: models.ReasonJobMatch}, []int64{matched}},
		{"a feature never used", ledger.Filter{Reason: models.ReasonResumeImprovement}, nil},
		{"a note, in any case", ledger.Filter{Text: "SURE"}, []int64{given}},
		{"a percent sign", ledger.Filter{Text: "%"}, []int64{given}},
		{"an underscore", ledger.Filter{Text: "%_s"}, []int64{given}},
		{"a backslash", ledger.Filter{Text: `\o`}, []int64{given}},
		{"a pattern that is none", ledger.Filter{Text: "1%sure"}, nil},
		{"a purchase", ledger.Filter{Text: "0190aaaa"}, []int64{taken, bought}},
		{"a hold", ledger.Filter{Text: "0190bbbb-0000-7000-8000-000000000002"}, []int64{matched}},
		{"an entry", ledger.Filter{Text: fmt.Sprint(spent)}, []int64{spent}},
		{"a name", ledger.Filter{Text: "abgleich", TextReasons: []models.Reason{models.ReasonJobMatch}}, []int64{matched}},
		{"a purchase's refunds", ledger.Filter{Text: "0190aaaa", Reason: models.ReasonRefund}, []int64{taken}},
		{"now", ledger.Filter{From: now.Add(-time.Minute), Until: now.Add(time.Minute)},
			[]int64{lost, taken, matched, spent, given, bought}},
		{"before", ledger.Filter{Until: now.Add(-time.Minute)}, nil},
		{"after", ledger.Filter{From: now.Add(time.Minute)}, nil},
	} {
		for _, limit := range []int{1, 2, 50} {
			if got, _ := all(t, s, user.ID, limit, c.filter); !cmp.Equal(got, c.want) {
				t.Errorf("%s, %d to a page: entries %v, want %v", c.name, limit, got, c.want)
			}
		}
	}
}

func TestSearchReadsNoMoreThanItsStretch(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	lengthen(t, db, user.ID, 2*ledger.Stretch, "2026-01-31 20:00:00+00")
	if ids, pages := all(t, s, user.ID, 25, ledger.Filter{Reason: models.ReasonManual}); len(ids) != 1 || pages != 1 {
		t.Errorf("the one adjustment behind many spends is found in %d pages (%v), want 1", pages, ids)
	}
	if ids, pages := all(t, s, user.ID, 25, ledger.Filter{Text: "nowhere"}); len(ids) != 0 || pages != 3 {
		t.Errorf("a search without a match read %d pages and found %v, want 3 stretches and nothing", pages, ids)
	}
	for _, month := range []string{"2026-01-01", "2026-02-01", "2026-03-01"} {
		from, _ := time.Parse(time.DateOnly, month)
		f := ledger.Filter{From: from, Until: from.AddDate(0, 1, 0)}
		var want int64
		if err := db.Raw(`SELECT count(*) FROM credit_transactions WHERE created_at >= ? AND created_at < ?`, f.From,
			f.Until).Scan(&want).Error; err != nil {
			t.Fatal(err)
		}
		if ids, _ := all(t, s, user.ID, 2_000, f); int64(len(ids)) != want {
			t.Errorf("%s has %d entries, want %d", month, len(ids), want)
		}
	}
	january := ledger.Filter{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Until: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	if page, err := s.Search(t.Context(), user.ID, 0, 25, january); err != nil || len(page.Entries) != 25 {
		t.Errorf("the first page of an old month has %d entries (%v), want 25", len(page.Entries), err)
	}
}

func TestSearchPagesWhileSpending(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: 10_000, Reason: models.ReasonManual})
	for range 30 {
		mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: -10, Reason: models.ReasonResumeAnalysis})
	}
	want, _ := all(t, s, user.ID, 100, ledger.Filter{Reason: models.ReasonResumeAnalysis})
	var got []int64
	for before := want[0] + 1; before != 0; {
		mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: -10, Reason: models.ReasonResumeAnalysis})
		page, err := s.Search(t.Context(), user.ID, before, 4, ledger.Filter{Reason: models.ReasonResumeAnalysis})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			got = append(got, e.ID)
		}
		before = page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries read during spends (-want +got):\n%s", diff)
	}
}

func TestExportSumsToTheBalanceWhileTwentySpend(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	lengthen(t, db, user.ID, 2500, "2026-01-31 20:00:00+00") // three batches
	mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: 1000, Reason: models.ReasonManual})
	e, err := s.Export(t.Context(), user.ID, ledger.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var spenders sync.WaitGroup
	for range 20 {
		spenders.Go(func() {
			if _, err := post(t, db, ledger.Entry{UserID: user.ID, Delta: -10,
				Reason: models.ReasonResumeAnalysis}); err != nil {
				t.Error(err)
			}
		})
	}
	var sum models.Credits
	entries := 0
	for {
		batch, err := e.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		for _, entry := range batch {
			sum += entry.DeltaCredits
			entries++
		}
		if entries == 1000 {
			spenders.Wait() // all spends are posted before the second batch is read
		}
	}
	spenders.Wait()
	if sum != 1007 || entries != 2502 {
		t.Errorf("%d entries sum to %d credits, want 2502 and 1007, the balance at the start", entries, sum)
	}
	if got := balance(t, db, user.ID); got != 807 {
		t.Errorf("balance = %d credits, want 807", got)
	}
}

func TestOneExportOfAUserAtATime(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	replicas := []*ledger.Service{{DB: db}, {DB: db}}
	ada, eve := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "eve@example.com")
	t.Run("refuses a second export on another replica", func(t *testing.T) {
		e, err := replicas[0].Export(t.Context(), ada.ID, ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = replicas[1].Export(t.Context(), ada.ID, ledger.Filter{})
		if f := fault.Of(err); f == nil || f.Code != fault.RateLimited || f.Detail["retryAfter"] == nil {
			t.Errorf("a second export: %v, want rate_limited", err)
		}
		other, err := replicas[1].Export(t.Context(), eve.ID, ledger.Filter{})
		if err != nil {
			t.Fatalf("of another user: %v", err)
		}
		other.Close()
		e.Close()
		e.Close() // closing twice is harmless
	})
	t.Run("runs twenty concurrent exports one after the other", func(t *testing.T) {
		var open, done atomic.Int32
		dbtest.Concurrently(20, func(i int) {
			e, err := replicas[i%2].Export(context.Background(), ada.ID, ledger.Filter{})
			if fault.Is(err, fault.RateLimited) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if open.Add(1) > 1 {
				t.Error("two exports of one user are open")
			}
			if _, err := e.Next(); err != nil {
				t.Error(err)
			}
			done.Add(1)
			open.Add(-1)
			e.Close()
		})
		if done.Load() == 0 {
			t.Error("0 of 20 exports were made, want at least 1")
		}
	})
	t.Run("leaves no export open when the database refuses the text", func(t *testing.T) {
		for range 10 {
			if _, err := replicas[0].Export(t.Context(), ada.ID, ledger.Filter{Text: "\x00"}); err == nil ||
				errors.Is(err, gorm.ErrRecordNotFound) || fault.Of(err) != nil {
				t.Fatalf("%v, want an error of the database", err)
			}
		}
	})
}

func TestExportsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	var open []*ledger.Export
	for i := range 3 {
		e, err := s.Export(t.Context(), dbtest.User(t, db, fmt.Sprintf("%d@example.com", i)).ID, ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, e)
	}
	late := dbtest.User(t, db, "late@example.com")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Export(gone, late.ID, ledger.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: error = %v, want canceled", err)
	}
	turn := make(chan error)
	go func() {
		e, err := s.Export(t.Context(), late.ID, ledger.Filter{})
		if err == nil {
			e.Close()
		}
		turn <- err
	}()
	open[0].Close()
	if err := <-turn; err != nil {
		t.Errorf("the fourth, once one was closed: %v", err)
	}
	open[1].Close()
	open[2].Close()
}

func TestUncharged(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user, other := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "bob@example.com")
	var made []ledger.Held
	for _, u := range []models.User{user, other} {
		mustPost(t, db, ledger.Entry{UserID: u.ID, Delta: 1000, Reason: models.ReasonManual})
	}
	for range 4 {
		made = append(made, hold(t, db, ledger.HoldOp{UserID: user.ID, Feature: models.ReasonResumeAnalysis}))
	}
	hold(t, db, ledger.HoldOp{UserID: other.ID, Feature: models.ReasonResumeAnalysis})
	if _, err := capture(t, db, made[1], nil); err != nil {
		t.Fatal(err)
	}
	if _, err := release(t, db, made[2]); err != nil {
		t.Fatal(err)
	}
	overdue(t, db, made[3].ID)
	rows, err := s.Uncharged(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range rows {
		got = append(got, h.ID.String()+" "+string(h.Status))
	}
	want := []string{made[0].ID.String() + " open", made[3].ID.String() + " expired", made[2].ID.String() + " released"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("holds (-want +got):\n%s", diff)
	}
}
