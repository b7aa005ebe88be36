package spend

import (
	"context"
	"errors"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

// asking is an ask that does what a test wants.
type asking func(tx *gorm.DB) error

func (f asking) Alone(tx *gorm.DB) error { return f(tx) }

// A panic in one request undoes what shared its transaction. Nobody is told otherwise, nobody waits for ever, and the lane
// goes on.
func TestPanicInALane(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	var l lanes
	first, open := make(chan struct{}), make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_ = l.do(context.Background(), db, 1, &job{user: user, ask: asking(func(*gorm.DB) error {
			close(first)
			<-open
			return nil
		})})
	})
	<-first
	errs := make([]error, 4)
	for i := range errs {
		waiting.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[i] = errUnfinished
				}
			}()
			errs[i] = l.do(context.Background(), db, 1, &job{user: user, ask: asking(func(*gorm.DB) error {
				if i == 2 {
					panic("on purpose")
				}
				return nil
			})})
		})
	}
	for queued := 0; queued < len(errs); {
		queued, _ = l.Waiting(1)
	}
	close(open)
	waiting.Wait()
	for i, err := range errs {
		if !errors.Is(err, errUnfinished) {
			t.Errorf("request %d: error = %v, want unfinished", i, err)
		}
	}
	if err := l.do(context.Background(), db, 1, &job{user: user, ask: asking(func(*gorm.DB) error { return nil })}); err != nil {
		t.Errorf("the lane is stuck: %v", err)
	}
	if _, busy := l.Waiting(1); busy {
		t.Error("the lane does not end")
	}
}
