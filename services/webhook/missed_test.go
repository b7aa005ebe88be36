package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Events of every kind that do not come are booked within 15 minutes, whenever they are created, even if Stripe fails
// once.
func TestMissedEventsAreBookedWithin15Minutes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"a payment", "a refund", "a dispute", "a delayed payment"} {
		for _, after := range []time.Duration{0, 2*time.Minute + 59*time.Second, 3*time.Minute + time.Second} {
			t.Run(fmt.Sprintf("%s, lost %s after a list", kind, after), func(t *testing.T) {
				t.Parallel()
				f := newMissedFixture(t)
				c, job := lostKinds(f)[kind], f.missedJob()
				f.deliver(c.before)
				f.look(job)
				begin := f.clock
				f.clock = f.clock.Add(after)
				f.lose(c.lost)
				lost := f.clock
				f.status = http.StatusBadRequest
				for f.count(`SELECT count(*) FROM stripe_events WHERE event_id = 'evt_2'`) == 0 {
					begin = begin.Add(job.Pause)
					if f.clock = begin; f.clock.Sub(lost) > 15*time.Minute {
						t.Fatal("not booked within 15 minutes")
					}
					if err := job.Work(t.Context()); (err == nil) != (f.status == 0) {
						t.Errorf("error = %v while Stripe answers %d, want one only while it refuses", err, f.status)
					}
					if f.clock.Sub(lost) >= missedGrace {
						f.status = 0 // the next attempt succeeds
					}
				}
				f.wantBalance(c.want)
				if f.missing.Load() != 1 {
					t.Errorf("%d events counted, want 1", f.missing.Load())
				}
			})
		}
	}
}

// Twenty servers that find the same event book it once, and count it at most once while its delivery comes, too.
func TestMissedEventIsBookedOnceByTwentyServers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"a payment", "a refund", "a dispute", "a delayed payment"} {
		for _, delivered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, delivered meanwhile: %t", kind, delivered), func(t *testing.T) {
				t.Parallel()
				f := newMissedFixture(t)
				c := lostKinds(f)[kind]
				f.deliver(c.before)
				payload := f.lose(c.lost)
				f.clock = f.clock.Add(missedGrace)
				entries := f.count(`SELECT count(*) FROM credit_transactions`)
				dbtest.Concurrently(20, func(i int) {
					if delivered && i%4 == 0 {
						f.receive(payload)
						return
					}
					f.look(f.missedJob())
				})
				f.receive(payload)
				f.look(f.missedJob())
				f.wantBalance(c.want)
				if n := f.count(`SELECT count(*) FROM credit_transactions`); n != entries+1 {
					t.Errorf("%d new entries, want 1", n-entries)
				}
				counted, letters := f.missing.Load(), f.count(`SELECT count(*) FROM letters WHERE kind = 'operator_silence'`)
				if counted != letters || counted > 1 || !delivered && counted != 1 {
					t.Errorf("%d events counted and %d letters, want 1 each, or none if the delivery was faster", counted, letters)
				}
			})
		}
	}
}

func TestEventThatCameIsNotMissed(t *testing.T) {
	t.Parallel()
	f := newMissedFixture(t)
	f.receive(f.lose(f.completed("evt_1", "cs_1", "paid")))
	f.lose(f.completed("evt_young", "cs_1", "paid")) // may still come
	f.clock = f.clock.Add(missedGrace - time.Second)
	f.look(f.missedJob())
	if n := f.count(`SELECT count(*) FROM stripe_events`); n != 1 || f.missing.Load() != 0 {
		t.Errorf("%d events stored and %d counted, want 1 and 0", n, f.missing.Load())
	}
	f.wantBalance(1200)
}

// An event that moves no credits, because another event brought the fact, is stored without a count or a letter.
func TestMissedEventOfAKnownFactIsNotCounted(t *testing.T) {
	t.Parallel()
	f := newMissedFixture(t)
	f.deliver(f.completed("evt_1", "cs_1", "paid"))
	f.deliver(refunded("evt_2", 3500))
	f.lose(refund("evt_3", "re_1", 3500))
	f.clock = f.clock.Add(missedGrace)
	f.look(f.missedJob())
	f.wantBalance(0)
	letters := f.count(`SELECT count(*) FROM letters WHERE kind = 'operator_silence'`)
	if f.statusOf("evt_3") != models.EventDone || f.missing.Load() != 0 || letters != 0 {
		t.Errorf("event is %s, %d counted, %d letters; want done, 0 and 0", f.statusOf("evt_3"), f.missing.Load(),
			letters)
	}
}

func TestForeignEventsAreNotMissed(t *testing.T) {
	t.Parallel()
	f := newMissedFixture(t)
	paid := f.completed("evt_1", "cs_1", "paid")
	f.lose(strings.Replace(paid, "checkout.session.completed", "invoice.paid", 1))
	f.lose(strings.Replace(paid, `"livemode":false`, `"livemode":true`, 1))
	f.lose(strings.Replace(paid, `"object":"event"`, `"object":"event","account":"acct_other"`, 1))
	f.lose(event("evt_2", "charge.refunded", `{}`))
	f.clock = f.clock.Add(missedGrace)
	f.look(f.missedJob())
	f.wantBalance(0)
	if n := f.count(`SELECT count(*) FROM stripe_events`); n != 0 || f.asked != 1 {
		t.Errorf("%d events stored after %d requests, want 0 after 1", n, f.asked)
	}
}

// A server asks the database only about events that are new to it, and not at all without them.
func TestNoStatementWithoutNewEvents(t *testing.T) {
	t.Parallel()
	f := newMissedFixture(t)
	wire, address := dbtest.NewWire(t, dbtest.URLOf(f.DB))
	db, err := postgres.Open(address, f.Log)
	f.must(err)
	t.Cleanup(func() { _ = postgres.Close(db) })
	direct := f.DB
	f.DB = db
	job := f.missedJob()
	statements := func(what string, want int) {
		t.Helper()
		f.clock = f.clock.Add(missedPause)
		wire.Reset()
		f.look(job)
		sent, _ := wire.Reset()
		sent = slices.DeleteFunc(sent, func(sql string) bool { return !strings.Contains(sql, "stripe_events") })
		if len(sent) != want {
			t.Errorf("%s: %d statements, want %d:\n%s", what, len(sent), want, strings.Join(sent, "\n"))
		}
	}
	wire.Reset()
	f.look(job)
	if sent, _ := wire.Reset(); len(sent) != 0 {
		t.Errorf("%d statements while Stripe lists nothing, want none:\n%s", len(sent), strings.Join(sent, "\n"))
	}
	f.DB = direct
	f.receive(f.lose(f.completed("evt_1", "cs_1", "paid")))
	f.DB = db
	statements("an event that came", 1)
	for range 12 {
		statements("the same event", 0)
	}
}

func TestMissedEventsOfSeveralPages(t *testing.T) {
	t.Parallel()
	f := newMissedFixture(t)
	f.deliver(f.completed("evt_1", "cs_1", "paid"))
	f.lose(refunded("evt_2", 3500)) // on the last page
	const others = 2*stripeapi.PageSize + 30
	for i := range others {
		f.lose(event(fmt.Sprintf("evt_price_%d", i), "price.updated", `{"id":"price_x","object":"price","product":"prod_x"}`))
	}
	f.clock = f.clock.Add(missedGrace)
	job := f.missedJob()
	f.look(job)
	f.wantBalance(0)
	if n := f.count(`SELECT count(*) FROM stripe_events`); n != others+2 || f.asked != 3 {
		t.Errorf("%d events stored from %d pages, want %d from 3", n, f.asked, others+2)
	}
}

// What was lost while Stripe refused, or the server's clock was wrong, is found later.
func TestMissedEventsAfterAnInterruption(t *testing.T) {
	t.Parallel()
	t.Run("Stripe refuses for two hours", func(t *testing.T) {
		t.Parallel()
		f := newMissedFixture(t)
		job := f.missedJob()
		f.look(job)
		f.lose(f.completed("evt_1", "cs_1", "paid"))
		f.status = http.StatusForbidden // a key without the right to read events
		for range 24 {
			f.clock = f.clock.Add(missedPause)
			if err := job.Work(t.Context()); err == nil {
				t.Fatal("no error while Stripe refuses, want one")
			}
		}
		f.status = 0
		f.look(job)
		f.wantBalance(1200)
	})
	t.Run("the database is away", func(t *testing.T) {
		t.Parallel()
		f := newMissedFixture(t)
		f.lose(f.completed("evt_1", "cs_1", "paid"))
		f.clock = f.clock.Add(missedGrace)
		job := f.missedJob()
		f.must(f.DB.Exec(`ALTER TABLE stripe_events RENAME TO events_away`).Error)
		if err := job.Work(t.Context()); err == nil {
			t.Error("no error without the table, want one")
		}
		f.must(f.DB.Exec(`ALTER TABLE events_away RENAME TO stripe_events`).Error)
		f.look(job)
		f.wantBalance(1200)
	})
	t.Run("the clock is set back", func(t *testing.T) {
		t.Parallel()
		f := newMissedFixture(t)
		job, right := f.missedJob(), f.clock
		f.clock = right.Add(3 * time.Hour)
		f.look(job)
		f.clock = right
		f.lose(f.completed("evt_1", "cs_1", "paid"))
		f.clock = right.Add(missedPause)
		f.look(job)
		f.wantBalance(1200)
	})
	t.Run("Stripe lists an event late", func(t *testing.T) {
		t.Parallel()
		f := newMissedFixture(t)
		job, created := f.missedJob(), f.clock
		f.clock = created.Add(missedPause)
		f.look(job)
		f.events = []json.RawMessage{json.RawMessage(f.completed("evt_1", "cs_1", "paid"))}
		f.clock = created.Add(2 * missedPause)
		f.look(job)
		f.wantBalance(1200)
	})
	t.Run("the server restarts", func(t *testing.T) {
		t.Parallel()
		f := newMissedFixture(t)
		f.lose(f.completed("evt_1", "cs_1", "paid"))
		f.clock = f.clock.Add(missedGrace + missedReach)
		f.look(f.missedJob())
		f.wantBalance(1200)
	})
}
