package spend_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// holdAtOnce makes twenty holds at once on two replicas, each with its exclusive text, and returns those that were
// made. The others must be refused with the code.
func holdAtOnce(t *testing.T, db *gorm.DB, user int64, text func(i int) string, code fault.Code) (made []ledger.Held) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	replicas := []*spend.Service{{DB: db, Log: log}, {DB: db, Log: log}}
	var mu sync.Mutex
	dbtest.Concurrently(20, func(i int) {
		r := request(uuid.Nil, user, "job_match", "")
		r.Exclusive = text(i)
		held, err := replicas[i%2].Hold(t.Context(), r)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			made = append(made, held)
		} else if !fault.Is(err, code) {
			t.Errorf("hold %d: error = %v, want %s", i, err, code)
		}
	})
	return made
}

func TestOneExclusiveHoldAtATime(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 50)
	letter := func(int) string { return "letter" }
	for round := range 6 {
		made := holdAtOnce(t, db, user, letter, fault.Conflict)
		if len(made) != 1 {
			t.Fatalf("round %d: twenty requests at once made %d holds, want 1", round, len(made))
		}
		id, err := made[0].ID.String(), error(nil)
		switch round % 3 {
		case 0:
			_, err = s.Capture(t.Context(), uuid.Nil, id, nil)
		case 1:
			_, err = s.Release(t.Context(), uuid.Nil, id)
		case 2:
			err = errorsOf(db, `UPDATE holds SET expires_at = now() WHERE status = 'open'`)
			if err == nil {
				_, err = s.ExpireDue(t.Context())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wantUser(t, db, user, 40, 0)
	dbtest.CheckLedger(t, db)
}

func TestExclusiveTextsShareTheCredits(t *testing.T) {
	t.Parallel()
	_, db, user := setUp(t, 25)
	made := holdAtOnce(t, db, user, func(i int) string { return fmt.Sprint("route ", i) }, fault.InsufficientCredits)
	if len(made) != 5 {
		t.Errorf("twenty different texts with credits for 5 made %d holds, want 5", len(made))
	}
	wantUser(t, db, user, 25, 25)
	dbtest.CheckLedger(t, db)
}

func wantUser(t *testing.T, db *gorm.DB, user int64, balance, held models.Credits) {
	t.Helper()
	var u models.User
	if err := db.Take(&u, user).Error; err != nil || u.CreditsBalance != balance || u.CreditsHeld != held {
		t.Errorf("balance %d, held %d credits (%v); want %d and %d", u.CreditsBalance, u.CreditsHeld, err, balance, held)
	}
}
