package spend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

func grantOp(user int64, credits models.Credits) ledger.Op {
	return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Delta: credits, Reason: models.ReasonManual}}
}

// doInOneBatch runs the first operation and, while it runs, enqueues the others, which so share the next batch. It
// returns the error of each.
func doInOneBatch(t *testing.T, db *gorm.DB, q *queues, user int64, ops ...ledger.Op) []error {
	t.Helper()
	begun, proceed, apply := make(chan struct{}), make(chan struct{}), q.apply
	q.apply = func(tx models.Tx, batch ...ledger.Op) error {
		if slices.Contains(batch, ops[0]) {
			close(begun)
			<-proceed
		}
		return apply(tx, batch...)
	}
	errs := make([]error, len(ops))
	var requests sync.WaitGroup
	for i, op := range ops {
		requests.Go(func() { errs[i] = q.do(context.Background(), db, 1, &job{user: user, op: op}) })
		if i == 0 {
			<-begun
		}
		for queued := 0; queued < i; {
			queued, _ = q.Waiting(1)
		}
	}
	close(proceed)
	requests.Wait()
	return errs
}

// If the database refuses a batch because of one operation, the others are applied all the same.
func TestRefusedOperationFailsAlone(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	refused := func() ledger.Op { return grantOp(user, math.MaxInt64) } // the balance would overflow
	var applied atomic.Int64
	q := queues{apply: func(tx models.Tx, ops ...ledger.Op) error {
		applied.Add(1)
		return ledger.Apply(tx, ops...)
	}}
	errs := doInOneBatch(t, db, &q, user, grantOp(user, 1), grantOp(user, 2), refused(), grantOp(user, 4))
	for i, err := range errs {
		if i == 2 && !postgres.Refused(err) || i != 2 && err != nil {
			t.Errorf("operation %d: %v; want the third refused, and no other", i+1, err)
		}
	}
	applied.Store(0)
	if err := q.do(t.Context(), db, 1, &job{user: user, op: refused()}); !postgres.Refused(err) || applied.Load() != 1 {
		t.Errorf("alone: %v after %d transactions, want a refusal after one", err, applied.Load())
	}
	var row models.User
	if err := db.Take(&row, user).Error; err != nil || row.CreditsBalance != 1+2+4 {
		t.Errorf("balance = %d credits (%v), want 7", row.CreditsBalance, err)
	}
	dbtest.CheckLedger(t, db)
}

// Requests that wait behind a stuck one get its answer, without waiting for the lock again.
func TestRequestsBehindAStuckOneGetItsAnswer(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	var applied atomic.Int64
	q := queues{apply: func(models.Tx, ...ledger.Op) error {
		applied.Add(1)
		return fmt.Errorf("%w: on purpose", errStuck)
	}}
	errs := doInOneBatch(t, db, &q, user, grantOp(user, 1), grantOp(user, 1), grantOp(user, 1))
	for i, err := range errs {
		if !errors.Is(err, errStuck) {
			t.Errorf("request %d: %v, want stuck", i+1, err)
		}
	}
	if applied.Load() != 1 {
		t.Errorf("%d transactions waited for the lock, want 1", applied.Load())
	}
}

func TestUserLockedForLongIsStuck(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	b := batcher{lockTimeout: 50 * time.Millisecond}
	err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, user); err != nil {
			return err
		}
		if err := b.do(t.Context(), db, user, "", grantOp(user, 1)); !errors.Is(err, errStuck) {
			t.Errorf("grant: %v, want stuck", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDismissLate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	soon, later, latest := now.Add(minShare/2), now.Add(time.Hour), now.Add(2*time.Hour)
	for name, c := range map[string]struct {
		deadlines, ready []time.Time
		earliest         time.Time
	}{
		"a request without a deadline":           {[]time.Time{{}}, []time.Time{{}}, time.Time{}},
		"a late request alone":                   {[]time.Time{soon}, []time.Time{soon}, soon},
		"a late request with others":             {[]time.Time{later, soon, {}}, []time.Time{later, {}}, later},
		"a late request with one, without limit": {[]time.Time{{}, soon}, []time.Time{{}}, time.Time{}},
		"the earliest is not the first":          {[]time.Time{latest, later}, []time.Time{latest, later}, later},
		"the earliest is the first":              {[]time.Time{later, latest}, []time.Time{later, latest}, later},
	} {
		var jobs []*job
		for _, deadline := range c.deadlines {
			jobs = append(jobs, &job{deadline: deadline})
		}
		ready, earliest := dismissLate(jobs)
		var kept []time.Time
		for _, j := range ready {
			kept = append(kept, j.deadline)
		}
		if !slices.Equal(kept, c.ready) || !earliest.Equal(c.earliest) {
			t.Errorf("%s: ready %v until %v, want %v until %v", name, kept, earliest, c.ready, c.earliest)
		}
		for _, j := range jobs {
			if refused := errors.Is(j.err, context.DeadlineExceeded); refused == slices.Contains(ready, j) {
				t.Errorf("%s: request until %v has the error %v", name, j.deadline, j.err)
			}
		}
	}
}
