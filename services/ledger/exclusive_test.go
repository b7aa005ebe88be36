package ledger_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// letter returns the operation that holds a job match exclusively.
func letter(user int64, exclusive string) ledger.HoldOp {
	return ledger.HoldOp{UserID: user, Feature: models.ReasonJobMatch, Exclusive: exclusive}
}

// wantInProgress checks that a hold was refused because another one is open.
func wantInProgress(t *testing.T, err error) {
	t.Helper()
	if f := fault.Of(err); f == nil || f.Code != fault.Conflict || f.Problem != fault.StillRunning ||
		f.Detail["retryAfter"] != 1 {
		t.Errorf("error = %v, want a conflict with a request in progress, and a retry time of 1 second", err)
	}
}

func TestExclusiveHold(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user, other := rich(t, db, "ada@example.com", 40), rich(t, db, "bob@example.com", 5)

	t.Run("refuses the same text of the same user alone", func(t *testing.T) {
		open := hold(t, db, letter(user, "letter"))
		_, err := tryHold(t, db, letter(user, "letter"))
		wantInProgress(t, err)
		for _, op := range []ledger.HoldOp{letter(user, "outreach"), letter(user, ""), letter(user, ""),
			letter(other, "letter")} {
			if held := hold(t, db, op); held.ID == open.ID {
				t.Errorf("%q of user %d = the open hold %s, want a new one", op.Exclusive, op.UserID, open.ID)
			}
		}
		wantCredits(t, db, user, 40, 20)
	})
	t.Run("tells of the request in progress before missing credits", func(t *testing.T) {
		_, err := tryHold(t, db, letter(other, "letter"))
		wantInProgress(t, err)
		if _, err := tryHold(t, db, letter(other, "outreach")); !fault.Is(err, fault.InsufficientCredits) {
			t.Errorf("another text: error = %v, want insufficient credits", err)
		}
	})
	t.Run("returns the open hold itself for its repeated key", func(t *testing.T) {
		op := letter(user, "keyed")
		op.Key = "k"
		first := hold(t, db, op)
		if again := hold(t, db, op); !again.Replayed || again.ID != first.ID {
			t.Errorf("repeat = %+v, want hold %s again", again, first.ID)
		}
	})
	dbtest.CheckLedger(t, db)
}

// However a hold ends, the next one with its text succeeds. An expired hold blocks until the sweep ends it.
func TestExclusiveHoldAfterTheEnd(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 100)
	for name, end := range map[string]func(ledger.Held) error{
		"capture": func(h ledger.Held) error { _, err := capture(t, db, h, nil); return err },
		"release": func(h ledger.Held) error { _, err := release(t, db, h); return err },
		"release when late": func(h ledger.Held) error {
			overdue(t, db, h.ID)
			_, err := release(t, db, h)
			return err
		},
		"expiry": func(h ledger.Held) error {
			overdue(t, db, h.ID)
			_, err := tryHold(t, db, letter(user, "letter"))
			wantInProgress(t, err)
			return postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
				_, err := ledger.Expire(tx, user)
				return err
			})
		},
	} {
		open := hold(t, db, letter(user, "letter"))
		if err := end(open); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		next, err := tryHold(t, db, letter(user, "letter"))
		if err != nil {
			t.Fatalf("after %s: error = %v, want a new hold", name, err)
		}
		if _, err := release(t, db, next); err != nil {
			t.Fatal(err)
		}
	}
	dbtest.CheckLedger(t, db)
}

// In one batch, the first hold with a text succeeds, the second is refused, and a hold that the batch ends makes room.
func TestExclusiveHoldsOfABatch(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user, other := rich(t, db, "ada@example.com", 100), rich(t, db, "bob@example.com", 100)
	running := hold(t, db, letter(user, "running"))
	exclusive := func(user int64, text string) *ledger.HoldOp {
		op := letter(user, text)
		op.ID, op.TTL = uuid.New(), time.Minute
		return &op
	}
	refused, unknown := exclusive(user, "letter"), exclusive(user, "match")
	unknown.Feature = "no_such"
	ops := []ledger.Op{
		spend(user, models.ReasonJobMatch, "a"),
		exclusive(user, "letter"), refused, exclusive(other, "letter"), exclusive(user, ""), exclusive(user, ""),
		unknown, exclusive(user, "match"), // the first is refused, so the second is the first
		exclusive(user, "running"), &ledger.CaptureOp{UserID: user, ID: running.ID},
	}
	if err := postgres.Transaction(t.Context(), db,
		func(tx models.Tx) error { return ledger.Apply(tx, ops...) }); err != nil {
		t.Fatal(err)
	}
	for i, op := range ops {
		switch op {
		case refused:
			wantInProgress(t, op.Err())
		case unknown:
			if !fault.Is(op.Err(), fault.Invalid) {
				t.Errorf("operation %d: error = %v, want an unknown feature", i, op.Err())
			}
		default:
			if op.Err() != nil {
				t.Errorf("operation %d: error = %v, want none", i, op.Err())
			}
		}
	}
	wantCredits(t, db, user, 90, 25)
	wantCredits(t, db, other, 100, 5)
	dbtest.CheckLedger(t, db)
}
