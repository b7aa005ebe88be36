package webhook

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// An event is stored while every connection is taken, and booked once one is free.
func TestEventIsStoredWithoutAFreeConnection(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	pool := s.connection(dbtest.URLOf(s.DB))
	s.Reserve, s.DB, s.Purchase.DB, s.InlineTimeout = s.DB, pool, pool, 10*time.Millisecond
	taken := pool.Begin()
	s.must(taken.Error)
	ctx, cancel := context.WithTimeout(t.Context(), dbtest.HangTimeout)
	defer cancel()
	payload := s.completed("evt_1", "cs_1", "paid")
	for range 2 {
		s.must(s.Receive(ctx, []byte(payload), sign(payload, testSecret, s.clock)))
	}
	dbtest.Concurrently(20, func(n int) {
		s.receive(event(fmt.Sprint("evt_ping_", n%5), "ping", `{"id":"x"}`))
	})
	var row models.StripeEvent
	s.must(s.Reserve.Take(&row, "event_id = 'evt_1'").Error)
	if row.Status != models.EventReceived || row.Attempts != 0 || row.NextAttemptAt.After(s.clock.Add(inlineGrace)) {
		t.Errorf("event is %s after %d attempts, the next at %s; want received after 0, the next within %s", row.Status,
			row.Attempts, row.NextAttemptAt, inlineGrace)
	}
	s.must(taken.Rollback().Error)
	s.InlineTimeout = 0
	s.clock = s.clock.Add(inlineGrace + time.Second)
	s.must(s.BookDue(t.Context()))
	s.wantBalance(1200)
	s.deliver(payload)
	s.wantBalance(1200)
}

// While the reserve has no connection either, an event waits for one of the pool's.
func TestEventIsStoredWithoutTheReserve(t *testing.T) {
	t.Parallel()
	for why, take := range map[string]func(s *fixture, reserve *gorm.DB){
		"the reserve is taken": func(s *fixture, reserve *gorm.DB) {
			s.ReserveTimeout = 10 * time.Millisecond
			taken := reserve.Begin()
			s.must(taken.Exec(`SELECT 1`).Error)
			s.t.Cleanup(func() { s.must(taken.Rollback().Error) })
		},
		"the server is full": func(s *fixture, reserve *gorm.DB) {
			admin := s.connection(dbtest.Admin(s.t, dbtest.URLOf(reserve)))
			s.must(admin.Exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 1', current_database()); END $$`).
				Error)
		},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			db, address := s.DB, dbtest.URLOf(s.DB)
			s.DB, s.Reserve, s.InlineTimeout = s.connection(address), s.connection(address), -1 // over before it begins
			taken := s.DB.Begin()
			s.must(taken.Exec(`SELECT 1`).Error)
			take(s, s.Reserve)
			answer := make(chan error, 1)
			payload := s.completed("evt_1", "cs_1", "paid")
			go func() { answer <- s.Receive(t.Context(), []byte(payload), sign(payload, testSecret, s.clock)) }()
			pool, err := s.DB.DB()
			s.must(err)
			dbtest.Eventually(t, "storing waits for the pool", func() bool {
				return pool.Stats().WaitCount > 0 || len(answer) > 0
			})
			s.must(taken.Rollback().Error)
			s.must(<-answer)
			var row models.StripeEvent
			s.must(db.Take(&row, "event_id = 'evt_1'").Error)
		})
	}
}

// connection opens a pool of one connection, which ends with the test.
func (s *fixture) connection(address string) *gorm.DB {
	s.t.Helper()
	db, err := postgres.OpenSized(address, 1, nil)
	s.must(err)
	s.t.Cleanup(func() { s.must(postgres.Close(db)) })
	return db
}
