package outbound

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// Twenty processes deliver each event once, in order when one of them is at work.
func TestTwentyProcessesDeliverOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	f.add(r.URL)
	const events = 60
	for range events {
		f.book(1)
	}
	dbtest.Concurrently(20, func(int) {
		if err := f.replica().Deliver(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("deliver: %v", err)
		}
	})
	ids := map[string]int{}
	for _, got := range r.received() {
		ids[got.id]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%s was delivered %d times, want once", id, n)
		}
	}
	delivered := f.count(`SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered' AND attempts = 1`)
	if len(ids) != events || delivered != events {
		t.Errorf("%d events received, %d marked as delivered, want %d", len(ids), delivered, events)
	}
}

// A process that dies after it has sent and before it has stored that leaves the delivery to the others, with the same
// webhook-id. What it would store later no longer counts.
func TestProcessThatDiesBetweenSendingAndStoring(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	endpoint, _ := f.add(r.URL)
	f.book(100)
	batch, err := f.claim(t.Context(), endpoint.ID)
	f.must(err)
	late := f.sendAll(t.Context(), batch)
	f.replica().pass()
	if n := len(r.received()); n != 1 {
		t.Errorf("%d requests while the claim lasts, want 1", n)
	}
	f.exec(`UPDATE webhook_deliveries SET due_at = due_at - ? * interval '1 second'`, claimFor.Seconds())
	batch, err = f.replica().claim(t.Context(), endpoint.ID)
	f.must(err)
	late[0].Status, late[0].Failure = models.DeliveryPending, models.DeliveryTimeout
	f.must(f.record(t.Context(), late))
	if d := f.delivery(); d.Failure != "" || d.Attempts != 2 {
		t.Errorf("after the late outcome: failure %q, %d attempts, want none and 2", d.Failure, d.Attempts)
	}
	f.must(f.record(t.Context(), f.sendAll(t.Context(), batch)))
	got := r.received()
	if len(got) != 2 || got[0].id != got[1].id || string(got[0].body) != string(got[1].body) {
		t.Errorf("%d requests, want two that are the same", len(got))
	}
	if d := f.delivery(); d.Status != models.DeliveryDelivered {
		t.Errorf("delivery is %s, want delivered", d.Status)
	}
}

// A delivery that never succeeds is tried ten times over three days, then given up. It can be replayed, alone or with
// all others since a time.
func TestAttemptsOverThreeDays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, status(http.StatusInternalServerError))
	endpoint, _ := f.add(r.URL)
	f.book(100)
	total := time.Duration(0)
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		f.pass()
		d := f.delivery()
		if d.Attempts != attempt || d.Response != 500 || d.Failure != models.DeliveryStatusCode {
			t.Fatalf("attempt %d: %+v, want a failure with status 500", attempt, d)
		}
		if attempt == maxAttempts {
			break
		}
		wait := d.DueAt.Sub(*d.TriedAt)
		if want := delays[attempt-1]; wait < want*9/10 || wait > want*11/10+dbtest.HangTimeout {
			t.Errorf("after attempt %d, the next is due in %v, want about %v", attempt, wait, want)
		}
		total += wait
		f.exec(`UPDATE webhook_deliveries SET due_at = due_at - ? * interval '1 second'`, wait.Seconds()+1)
	}
	if days := total.Hours() / 24; days < 2.8 || days > 3.6 {
		t.Errorf("the last attempt comes after %.1f days, want three", days)
	}
	f.pass()
	if d := f.delivery(); d.Status != models.DeliveryFailed || len(r.received()) != maxAttempts {
		t.Errorf("after %d attempts it is %s, want failed after %d", len(r.received()), d.Status, maxAttempts)
	}
	r.answer = status(299)
	if n, err := f.ReplayFailed(t.Context(), endpoint.ID, time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("replayed %d since later, %v, want 0", n, err)
	}
	n, err := f.ReplayFailed(t.Context(), endpoint.ID, time.Now().Add(-time.Hour))
	f.must(err)
	f.pass()
	f.must(f.Replay(t.Context(), f.delivery().ID))
	f.pass()
	got := r.received()
	if d := f.delivery(); n != 1 || d.Status != models.DeliveryDelivered || len(got) != maxAttempts+2 {
		t.Errorf("%d replayed, %s after %d requests, want 1, delivered after %d", n, d.Status, len(got), maxAttempts+2)
	}
	for _, request := range got {
		if request.id != got[0].id {
			t.Errorf("webhook-id %s, want %s in every attempt", request.id, got[0].id)
		}
	}
}

// An endpoint that answers 410 gets nothing more.
func TestGoneEndpointIsDisabled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, status(http.StatusGone))
	f.add(r.URL)
	f.book(100)
	f.pass()
	f.book(100)
	f.pass()
	all, err := f.List(t.Context())
	f.must(err)
	if all[0].DisabledCause != models.DisabledGone || all[0].Failed != 1 || all[0].Pending != 0 || len(r.received()) != 1 {
		t.Errorf("endpoint %+v after %d requests, want gone after one", all[0], len(r.received()))
	}
}

// A receiver that is busy says when it wants the next attempt, within a day.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "-1": 0,
		"soon": 0, "999999": 24 * time.Hour, "99999999999": 0} {
		if got := retryAfter(text); got != want {
			t.Errorf("Retry-After %q = %v, want %v", text, got, want)
		}
	}
	f := newFixture(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ int) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	f.add(r.URL)
	f.book(100)
	f.pass()
	if d := f.delivery(); d.DueAt.Sub(*d.TriedAt) < time.Hour {
		t.Errorf("the next attempt is due in %v, want an hour", d.DueAt.Sub(*d.TriedAt))
	}
}

// An endpoint that hangs delays no other, gets no more than eight requests at once, and does not keep the process from
// stopping.
func TestHangingEndpointDelaysNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	hang := make(chan struct{})
	hanging, good := newReceiver(t, func(http.ResponseWriter, int) { <-hang }), newReceiver(t, nil)
	t.Cleanup(func() { close(hang) })
	f.grace = time.Millisecond
	f.add(hanging.URL)
	f.add(good.URL)
	const events = 2*batchSize + 1
	for range events {
		f.book(1)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Deliver(ctx); err != nil {
			t.Errorf("deliver: %v", err)
		}
	})
	dbtest.Eventually(t, "the good endpoint has all events", func() bool { return len(good.received()) == events })
	dbtest.Eventually(t, "the hanging endpoint has a batch", func() bool { return len(hanging.received()) == batchSize })
	f.book(1) // while the other hangs
	dbtest.Eventually(t, "a later event reaches the good endpoint", func() bool {
		return len(good.received()) == events+1
	})
	stop()
	running.Wait()
	pending := f.count(`SELECT count(*) FROM webhook_deliveries WHERE status = 'pending' AND failure = ''`)
	if n := len(hanging.received()); n != batchSize || pending != events+1 {
		t.Errorf("the hanging endpoint got %d requests, and %d wait, want %d and %d", n, pending, batchSize, events+1)
	}
}

// Old deliveries are deleted, those of the last month stay.
func TestSweep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add("https://example.com")
	f.exec(`INSERT INTO webhook_deliveries (endpoint_id, type) SELECT ?, 'webhook.test' FROM generate_series(1, 1000)`,
		uuid.New())
	f.book(1, 2, 3)
	f.exec(`UPDATE webhook_deliveries SET created_at = now() - interval '31 days' WHERE id < (SELECT max(id) FROM webhook_deliveries)`)
	n, err := f.Sweep(t.Context())
	f.must(err)
	if left := f.count(`SELECT count(*) FROM webhook_deliveries`); n != 1002 || left != 1 {
		t.Errorf("%d deleted, %d left, want 1002 and 1", n, left)
	}
}

// The newest deliveries come first, with the URL of their endpoint.
func TestDeliveriesAreListed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add("https://example.com/hook")
	f.book(1, 2, 3)
	f.exec(`INSERT INTO webhook_deliveries (endpoint_id, type) VALUES (?, 'webhook.test')`, uuid.New()) // of a removed one
	all, err := f.Deliveries(t.Context(), 2)
	f.must(err)
	if len(all) != 2 || all[0].ID < all[1].ID || all[0].URL != "https://example.com/hook" || all[0].UserID == nil {
		t.Errorf("deliveries %+v, want the newest two", all)
	}
	ids := []int64{all[0].ID, all[1].ID}
	if slices.Contains(ids, f.delivery().ID) {
		t.Error("the delivery of a removed endpoint is listed")
	}
}
