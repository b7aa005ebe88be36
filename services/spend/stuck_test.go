package spend_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// While another session holds a user's row, each request of that user ends by itself, over several replicas, and writes
// nothing. Other users notice nothing.
func TestStuckUserDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	s, db, stuck := setUp(t, 100)
	replicas := []*spend.Service{s, {DB: db, Log: s.Log}, {DB: db, Log: s.Log}}
	var others [3]int64 // one for each replica, so that they do not lock each other out
	for i, r := range replicas {
		r.SetLockTimeout(100 * time.Millisecond)
		others[i] = dbtest.User(t, db, fmt.Sprintf("bob%d@example.com", i)).ID
	}
	held, err := s.Hold(t.Context(), spend.HoldRequest{Request: spend.Request{UserID: stuck, Feature: "job_match"}})
	if err != nil {
		t.Fatal(err)
	}
	err = postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, stuck); err != nil {
			return err
		}
		dbtest.Concurrently(30, func(i int) {
			r := replicas[i%len(replicas)]
			request := spend.Request{UserID: stuck, Feature: "job_match", Key: fmt.Sprint(i)}
			var err error
			switch i / len(replicas) % 3 {
			case 0:
				_, err = r.Spend(t.Context(), request)
			case 1:
				_, err = r.Hold(t.Context(), spend.HoldRequest{Request: request})
			case 2:
				_, err = r.Capture(t.Context(), uuid.Nil, held.ID.String(), nil)
			}
			if !postgres.Away(err) || postgres.OutcomeUnknown(err) {
				t.Errorf("request %d: %v, want a time-out", i, err)
			}
			request = spend.Request{UserID: others[i%len(replicas)], Feature: "job_match"}
			if _, err := r.Spend(t.Context(), request); !fault.Is(err, fault.InsufficientCredits) {
				t.Errorf("request of another user: %v, want an answer: insufficient credits", err)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dbtest.CheckLedger(t, db)
}

// Requests of two users who are locked wait at the same time, each on its own connection.
func TestTwoStuckUsersWaitAtTheSameTime(t *testing.T) {
	t.Parallel()
	s, db, _ := setUp(t, 100)
	stuck := []int64{dbtest.User(t, db, "bob@example.com").ID, dbtest.User(t, db, "eve@example.com").ID}
	var requests sync.WaitGroup
	err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
		for _, user := range stuck {
			if _, err := ledger.Lock(tx, user); err != nil {
				return err
			}
			requests.Go(func() {
				if _, err := s.Spend(t.Context(), spend.Request{UserID: user, Feature: "job_match"}); !fault.Is(err,
					fault.InsufficientCredits) {
					t.Errorf("spend of user %d: %v, want insufficient credits", user, err)
				}
			})
		}
		dbtest.WaitForBlocked(t, db, 2)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	requests.Wait()
}
