package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// account is one of two accounts with the same history: one gets the operations as a batch, the other one by one.
type account struct {
	user  int64
	holds []uuid.UUID
}

// draft describes an operation on either account.
type draft struct {
	kind      string
	feature   models.Reason
	key       string
	hash      string
	exclusive string
	hold      int
	caller    uuid.UUID
	credits   *models.Credits
}

func (d draft) on(a account) ledger.Op {
	switch d.kind {
	case "spend":
		return &ledger.PostOp{Entry: ledger.Entry{UserID: a.user, Reason: d.feature,
			Meta: models.Meta{IdempotencyKey: d.key, RequestHash: d.hash}}}
	case "grant":
		return &ledger.PostOp{Entry: ledger.Entry{UserID: a.user, Delta: 7, Reason: models.ReasonManual,
			Meta: models.Meta{IdempotencyKey: d.key, RequestHash: d.hash}}}
	case "hold":
		return &ledger.HoldOp{ID: uuid.New(), UserID: a.user, Feature: d.feature, TTL: time.Hour, Key: d.key,
			RequestHash: d.hash, Exclusive: d.exclusive}
	case "capture":
		return &ledger.CaptureOp{UserID: a.user, Caller: d.caller, ID: a.holds[d.hold], Credits: d.credits}
	}
	return &ledger.ReleaseOp{UserID: a.user, Caller: d.caller, ID: a.holds[d.hold]}
}

// resultOf returns an operation's result without the ids and times, which differ between the accounts.
func resultOf(op ledger.Op) string {
	if err := op.Err(); err != nil {
		detail, _ := json.Marshal(fault.Of(err))
		return fmt.Sprintf("%v %s", err, detail)
	}
	hold := func(h ledger.Held) string {
		return fmt.Sprint(h.Status, h.Credits, h.Captured, h.Feature, h.IdempotencyKey, string(h.Metadata),
			h.TransactionID != nil, h.Replayed)
	}
	switch op := op.(type) {
	case *ledger.PostOp:
		return fmt.Sprint(op.Posted.DeltaCredits, op.Posted.BalanceAfter, op.Posted.Reason, op.Posted.Meta.IdempotencyKey,
			op.Posted.Replayed)
	case *ledger.HoldOp:
		return hold(op.Held)
	case *ledger.CaptureOp:
		return hold(op.Held)
	case *ledger.ReleaseOp:
		return hold(op.Held)
	}
	return "?"
}

// A batch gives the results of its operations applied one by one: first the certain ones by kind, then the rest.
func TestABatchIsOneByOne(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	runs, certain, left := 0, 0, 0
	dbtest.Check(t, 100, 2000, func(r *rapid.T) {
		runs++
		credits := models.Credits(rapid.IntRange(1, 90).Draw(r, "credits"))
		var both [2]account
		holds := rapid.IntRange(0, 4).Draw(r, "holds")
		late := rapid.SliceOfN(rapid.Bool(), holds, holds).Draw(r, "late")
		for i := range both {
			both[i].user = rich(t, db, fmt.Sprintf("account%d.%d@example.com", runs, i), credits+models.Credits(holds)*5)
			for n := range holds {
				held := hold(t, db, ledger.HoldOp{UserID: both[i].user, Feature: "job_match", TTL: time.Hour,
					Key: fmt.Sprint("h", n), RequestHash: "a", Exclusive: fmt.Sprint("h", n)})
				both[i].holds = append(both[i].holds, held.ID)
				if late[n] {
					overdue(t, db, held.ID)
				}
			}
		}
		drafts := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) draft { return drawDraft(r, holds) }), 2, 12).
			Draw(r, "operations")
		ops := func(a account) []ledger.Op {
			list := make([]ledger.Op, len(drafts))
			for i, d := range drafts {
				list[i] = d.on(a)
			}
			return list
		}
		done := certainOf(r, db, ops(both[0]))
		batch := ops(both[0])
		if err := postgres.Transaction(context.Background(), db,
			func(tx models.Tx) error { return ledger.Apply(tx, batch...) }); err != nil {
			r.Fatal(err)
		}
		single := ops(both[1])
		for _, i := range orderOf(single, done) {
			if err := postgres.Transaction(context.Background(), db,
				func(tx models.Tx) error { return ledger.Apply(tx, single[i]) }); err != nil {
				r.Fatal(err)
			}
			if got, want := resultOf(batch[i]), resultOf(single[i]); got != want {
				r.Errorf("operation %d, %s: in the batch %s, one by one %s", i, drafts[i].kind, got, want)
			}
			if done[i] {
				certain++
			} else {
				left++
			}
		}
		var rows [2]models.User
		for i := range both {
			if err := db.First(&rows[i], both[i].user).Error; err != nil {
				r.Fatal(err)
			}
		}
		if rows[0].CreditsBalance != rows[1].CreditsBalance || rows[0].CreditsHeld != rows[1].CreditsHeld {
			r.Errorf("in the batch %d credits and %d held, one by one %d and %d", rows[0].CreditsBalance, rows[0].CreditsHeld,
				rows[1].CreditsBalance, rows[1].CreditsHeld)
		}
	})
	if certain < runs || left < runs {
		t.Errorf("of %d runs %d operations were certain and %d were left: too few to compare", runs, certain, left)
	}
	dbtest.CheckLedger(t, db)
}

func drawDraft(r *rapid.T, holds int) draft {
	d := draft{
		kind: rapid.SampledFrom([]string{"spend", "spend", "grant", "hold", "capture", "release"}).Draw(r, "kind"),
		feature: rapid.SampledFrom([]models.Reason{"job_match", "job_match", "resume_analysis", "resume_improvement",
			"no_such"}).Draw(r, "feature"),
		key:       rapid.SampledFrom([]string{"", "", "k0", "k1", "k2", "h0"}).Draw(r, "key"),
		hash:      rapid.SampledFrom([]string{"a", "a", "b"}).Draw(r, "hash"),
		exclusive: rapid.SampledFrom([]string{"", "x", "x", "y", "h0"}).Draw(r, "exclusive"),
	}
	if holds == 0 {
		d.kind = rapid.SampledFrom([]string{"spend", "grant", "hold"}).Draw(r, "kind without holds")
		return d
	}
	d.hold = rapid.IntRange(0, holds-1).Draw(r, "which hold")
	if rapid.IntRange(0, 5).Draw(r, "another caller") == 0 {
		d.caller = uuid.New()
	}
	if n := rapid.SampledFrom([]models.Credits{0, 0, 2, 5, 6}).Draw(r, "taken"); n > 0 {
		d.credits = &n
	}
	return d
}

// certainOf reports which operations the batch statements apply, and rolls back.
func certainOf(r *rapid.T, db *gorm.DB, ops []ledger.Op) (done []bool) {
	rollBack := errors.New("roll back")
	err := postgres.Transaction(context.Background(), db, func(tx models.Tx) (err error) {
		done, err = ledger.Certain(tx, ops...)
		return errors.Join(err, rollBack)
	})
	if len(done) != len(ops) || !errors.Is(err, rollBack) {
		r.Fatal(err)
	}
	return done
}

// orderOf returns the order in which a batch applies its operations.
func orderOf(ops []ledger.Op, done []bool) []int {
	rank := func(i int) int {
		if !done[i] {
			return 4
		}
		switch ops[i].(type) {
		case *ledger.PostOp:
			return 0
		case *ledger.HoldOp:
			return 1
		case *ledger.CaptureOp:
			return 2
		}
		return 3
	}
	order := make([]int, len(ops))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	return order
}

// The batch statements apply every certain operation, even several of one user.
func TestABatchLeavesNothingCertain(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 100)
	other := rich(t, db, "bert@example.com", 5)
	held := hold(t, db, ledger.HoldOp{UserID: user, Feature: "job_match", TTL: time.Hour})
	freed := hold(t, db, ledger.HoldOp{UserID: user, Feature: "job_match", TTL: time.Hour})
	ops := []ledger.Op{
		spend(user, "resume_improvement", "a"),
		spend(other, "job_match", "a"),
		spend(user, "resume_improvement", "b"),
		&ledger.HoldOp{ID: uuid.New(), UserID: user, Feature: "resume_analysis", TTL: time.Hour, Key: "c"},
		&ledger.CaptureOp{UserID: user, ID: held.ID, Credits: amount(3)},
		&ledger.ReleaseOp{UserID: user, ID: freed.ID},
		spend(other, "job_match", "not covered"),
		spend(user, "job_match", "a"),
		&ledger.CaptureOp{UserID: user, ID: held.ID, Credits: amount(3)},
	}
	var done []bool
	if err := postgres.Transaction(t.Context(), db, func(tx models.Tx) (err error) {
		done, err = ledger.Certain(tx, ops...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, true, true, true, true, true, false, false, false}; !slices.Equal(done, want) {
		t.Errorf("done = %v, want %v", done, want)
	}
	wantCredits(t, db, user, 67, 10)
	wantCredits(t, db, other, 0, 0)
	dbtest.CheckLedger(t, db)
}

// A repeated grant adds no credits, so it does not cover a spend of the same batch.
func TestABatchSpendsNoGrantThatIsRefused(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	grant := ledger.Entry{UserID: user, Delta: 10, Reason: models.ReasonManual, Meta: models.Meta{IdempotencyKey: "grant"}}
	mustPost(t, db, grant)
	if err := apply(t, db, spend(user, "resume_analysis", "first")); err != nil {
		t.Fatal(err)
	}
	repeat, second := &ledger.PostOp{Entry: grant}, spend(user, "resume_analysis", "second")
	if err := postgres.Transaction(t.Context(), db,
		func(tx models.Tx) error { return ledger.Apply(tx, repeat, second) }); err != nil {
		t.Fatal(err)
	}
	if !repeat.Posted.Replayed || !fault.Is(second.Err(), fault.InsufficientCredits) {
		t.Errorf("repeat = %+v, second spend: %v; want a replay, and insufficient credits", repeat.Posted, second.Err())
	}
	wantCredits(t, db, user, 0, 0)
	dbtest.CheckLedger(t, db)
}
