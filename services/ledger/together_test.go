package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// twin is one of two accounts that the same is asked of: of one together, of the other one by one.
type twin struct {
	user  int64
	holds []uuid.UUID
}

// wish is what is asked of both.
type wish struct {
	kind    string
	feature models.Reason
	key     string
	hash    string
	hold    int
	owner   uuid.UUID
	credits *models.Credits
}

func (w wish) of(p twin) ledger.Ask {
	switch w.kind {
	case "spend":
		return &ledger.Spending{UserID: p.user, Feature: w.feature, Meta: models.Meta{IdempotencyKey: w.key, RequestHash: w.hash}}
	case "hold":
		return &ledger.Holding{Order: ledger.Order{ID: uuid.New(), UserID: p.user, Feature: w.feature, TTL: time.Hour, Key: w.key, RequestHash: w.hash}}
	case "capture":
		return &ledger.Capturing{Owner: w.owner, ID: p.holds[w.hold], Credits: w.credits}
	}
	return &ledger.Releasing{Owner: w.owner, ID: p.holds[w.hold]}
}

// told is an answer without what differs between the twins.
func told(ask ledger.Ask, err error) string {
	if err != nil {
		detail, _ := json.Marshal(fault.Of(err))
		return fmt.Sprintf("%v %s", err, detail)
	}
	hold := func(h ledger.Held) string {
		return fmt.Sprint(h.Status, h.Credits, h.Captured, h.Feature, h.IdempotencyKey, string(h.Metadata), h.TransactionID != nil, h.Replayed)
	}
	switch a := ask.(type) {
	case *ledger.Spending:
		return fmt.Sprint(a.Posted.DeltaCredits, a.Posted.BalanceAfter, a.Posted.Reason, a.Posted.Meta.IdempotencyKey, a.Posted.Replayed)
	case *ledger.Holding:
		return hold(a.Held)
	case *ledger.Capturing:
		return hold(a.Held)
	case *ledger.Releasing:
		return hold(a.Held)
	}
	return "?"
}

// Whatever is asked together gets the answers that it would get alone, one after the other: those that are certain first,
// by kind, then the rest.
func TestTogetherIsOneByOne(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	runs, certain, left := 0, 0, 0
	dbtest.Check(t, 100, 2000, func(r *rapid.T) {
		runs++
		credits := models.Credits(rapid.IntRange(1, 90).Draw(r, "credits"))
		var twins [2]twin
		holds := rapid.IntRange(0, 4).Draw(r, "holds")
		late := rapid.SliceOfN(rapid.Bool(), holds, holds).Draw(r, "late")
		for i := range twins {
			twins[i].user = rich(t, db, fmt.Sprintf("twin%d.%d@example.com", runs, i), credits+models.Credits(holds)*5)
			for n := range holds {
				held := hold(t, db, ledger.Order{ID: uuid.New(), UserID: twins[i].user, Feature: "job_match", TTL: time.Hour, Key: fmt.Sprint("h", n), RequestHash: "a"})
				twins[i].holds = append(twins[i].holds, held.ID)
				if late[n] {
					overdue(t, db, held.ID)
				}
			}
		}
		wishes := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) wish { return drawWish(r, holds) }), 2, 12).Draw(r, "wishes")
		asks := make([]ledger.Ask, len(wishes))
		for i, w := range wishes {
			asks[i] = w.of(twins[0])
		}
		answers, done := together(r, db, twins[0].user, asks)
		order := orderOf(asks, done)
		for _, i := range order {
			ask := wishes[i].of(twins[1])
			alone := ""
			if err := models.Transaction(context.Background(), db, func(tx *gorm.DB) error {
				err := ask.Alone(tx)
				alone = told(ask, err)
				return nil
			}); err != nil {
				r.Fatal(err)
			}
			if answers[i] != alone {
				r.Errorf("%d, %s: together %s, alone %s", i, wishes[i].kind, answers[i], alone)
			}
			if done[i] {
				certain++
			} else {
				left++
			}
		}
		var rows [2]models.User
		for i := range twins {
			if err := db.First(&rows[i], twins[i].user).Error; err != nil {
				r.Fatal(err)
			}
		}
		if rows[0].CreditsBalance != rows[1].CreditsBalance || rows[0].CreditsHeld != rows[1].CreditsHeld {
			r.Errorf("together %d and %d held, alone %d and %d held", rows[0].CreditsBalance, rows[0].CreditsHeld, rows[1].CreditsBalance, rows[1].CreditsHeld)
		}
	})
	if certain < runs || left < runs {
		t.Errorf("of %d runs %d asks were certain and %d were left: too few to compare", runs, certain, left)
	}
	dbtest.CheckLedger(t, db)
}

func drawWish(r *rapid.T, holds int) wish {
	w := wish{
		kind:    rapid.SampledFrom([]string{"spend", "spend", "hold", "capture", "release"}).Draw(r, "kind"),
		feature: rapid.SampledFrom([]models.Reason{"job_match", "job_match", "resume_analysis", "resume_improvement", "no_such"}).Draw(r, "feature"),
		key:     rapid.SampledFrom([]string{"", "", "k0", "k1", "k2", "h0"}).Draw(r, "key"),
		hash:    rapid.SampledFrom([]string{"a", "a", "b"}).Draw(r, "hash"),
	}
	if holds == 0 {
		w.kind = rapid.SampledFrom([]string{"spend", "hold"}).Draw(r, "kind without holds")
		return w
	}
	w.hold = rapid.IntRange(0, holds-1).Draw(r, "which hold")
	if rapid.IntRange(0, 5).Draw(r, "stranger") == 0 {
		w.owner = uuid.New()
	}
	if n := rapid.SampledFrom([]models.Credits{0, 0, 2, 5, 6}).Draw(r, "taken"); n > 0 {
		w.credits = &n
	}
	return w
}

// together books the asks as a teller does, and returns the answers.
func together(r *rapid.T, db *gorm.DB, user int64, asks []ledger.Ask) (answers []string, done []bool) {
	answers = make([]string, len(asks))
	err := models.Transaction(context.Background(), db, func(tx *gorm.DB) error {
		if locked, err := ledger.LockAll(tx, []int64{user}, false); err != nil || len(locked) != 1 {
			return fmt.Errorf("locked %v: %w", locked, err)
		}
		var err error
		if done, err = ledger.Together(tx, asks); err != nil {
			return err
		}
		for i, ask := range asks {
			var err error
			if !done[i] {
				if err = ask.Alone(tx); err != nil && fault.Of(err) == nil {
					return err
				}
			}
			answers[i] = told(ask, err)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return answers, done
}

// orderOf is the order in which the asks were done.
func orderOf(asks []ledger.Ask, done []bool) []int {
	rank := func(i int) int {
		switch asks[i].(type) {
		case *ledger.Spending:
			if done[i] {
				return 0
			}
		case *ledger.Holding:
			if done[i] {
				return 1
			}
		case *ledger.Capturing:
			if done[i] {
				return 2
			}
		}
		return 3
	}
	order := make([]int, len(asks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	return order
}

// What is certain is booked at once, also several times of one user.
func TestTogetherLeavesNothingCertain(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 100)
	other := rich(t, db, "bert@example.com", 5)
	held := hold(t, db, ledger.Order{ID: uuid.New(), UserID: user, Feature: "job_match", TTL: time.Hour})
	asks := []ledger.Ask{
		&ledger.Spending{UserID: user, Feature: "resume_improvement", Meta: models.Meta{IdempotencyKey: "a"}},
		&ledger.Spending{UserID: other, Feature: "job_match", Meta: models.Meta{IdempotencyKey: "a"}},
		&ledger.Spending{UserID: user, Feature: "resume_improvement", Meta: models.Meta{IdempotencyKey: "b"}},
		&ledger.Holding{Order: ledger.Order{ID: uuid.New(), UserID: user, Feature: "resume_analysis", TTL: time.Hour, Key: "c"}},
		&ledger.Capturing{ID: held.ID, Credits: amount(3)},
		&ledger.Spending{UserID: other, Feature: "job_match", Meta: models.Meta{IdempotencyKey: "not covered"}},
		&ledger.Spending{UserID: user, Feature: "job_match", Meta: models.Meta{IdempotencyKey: "a"}},
	}
	var done []bool
	if err := models.Transaction(t.Context(), db, func(tx *gorm.DB) error {
		_, err := ledger.LockAll(tx, []int64{user, other}, true)
		if err == nil {
			done, err = ledger.Together(tx, asks)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, true, true, true, true, false, false}; !slices.Equal(done, want) {
		t.Errorf("done = %v, want %v", done, want)
	}
	wantCredits(t, db, user, 67, 10)
	wantCredits(t, db, other, 0, 0)
	dbtest.CheckLedger(t, db)
}
