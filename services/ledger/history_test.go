package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
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
		if n := len(c.want); n > 0 {
			if _, pages := all(t, s, user.ID, n, c.filter); pages != 1 {
				t.Errorf("%s: %d entries fill %d pages of %d, want 1", c.name, n, pages, n)
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
	for name, f := range map[string]ledger.Filter{"text": {Text: "nowhere"}, "feature": {Reason: models.ReasonJobMatch}} {
		if ids, pages := all(t, s, user.ID, 25, f); len(ids) != 0 || pages != 3 {
			t.Errorf("a %s without a match: read %d pages and found %v, want 3 stretches and nothing", name, pages, ids)
		}
	}
	oldest, _ := all(t, s, user.ID, 25, ledger.Filter{Reason: models.ReasonManual})
	e, err := s.Export(t.Context(), user.ID, ledger.Filter{Text: fmt.Sprint(oldest[0])})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if entries, err := e.Next(); err != nil || len(entries) != 1 {
		t.Errorf("an export of the oldest entry has %d entries (%v), want 1 behind two stretches without", len(entries), err)
	}
	for _, hour := range []string{"2026-01-31 23", "2026-02-01 00", "2026-03-01 00"} {
		from, _ := time.Parse("2006-01-02 15", hour)
		f := ledger.Filter{From: from, Until: from.Add(time.Hour)}
		var want int64
		if err := db.Raw(`SELECT count(*) FROM credit_transactions WHERE created_at >= ? AND created_at < ?`, f.From,
			f.Until).Scan(&want).Error; err != nil {
			t.Fatal(err)
		}
		if ids, _ := all(t, s, user.ID, 1_000, f); int64(len(ids)) != want {
			t.Errorf("the hour from %s has %d entries, want %d", hour, len(ids), want)
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
