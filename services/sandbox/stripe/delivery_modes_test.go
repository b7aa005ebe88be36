package stripe_test

import (
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestDuplicatesArriveOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	s.set(t, "/control/delivery", "mode=duplicate&times=3&events=1")
	gate := make(chan struct{})
	s.recorder.gate.Store(&gate)
	id := s.emitEvents(t, 1)[0]
	if one := s.recorder.next(t); one.event.ID != id || one.err != nil {
		t.Errorf("got %s, %v", one.event.ID, one.err)
	}
	s.wantNothingMore(t) // the copies wait for the first answer, and this later event overtakes them
	if got := s.get(t, "/dashboard/delivery").doc.Find("#log .attempts").Length(); got != 2 {
		t.Errorf("got %d deliveries were tried, want the first copy and the later event", got)
	}
	close(gate)
	for range 2 {
		if one := s.recorder.next(t); one.event.ID != id || one.err != nil {
			t.Errorf("got %s, %v", one.event.ID, one.err)
		}
	}
	s.wantNothingMore(t)
}

func TestShuffledEventsAreHeldThenSentOutOfOrder(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	s.set(t, "/control/delivery", "mode=shuffled&events=5")
	made := s.emitEvents(t, 4)
	if state := s.state(t); state["held"] != 4.0 || state["remaining"] != 1.0 || len(s.recorder.requests) != 0 {
		t.Errorf("state: got %v, %d received", state, len(s.recorder.requests))
	}
	made = append(made, s.emitEvents(t, 1)...)
	if n := len(s.events(t, stripe.Bool(false))); n != 5 {
		t.Errorf("got %d undelivered, want 5", n)
	}
	if answer := s.set(t, "/control/release", ""); answer["released"] != 5.0 {
		t.Errorf("released: got %v", answer)
	}
	var came []string
	for range 5 {
		came = append(came, s.recorder.next(t).event.ID)
	}
	if slices.Equal(came, made) {
		t.Error("they came in their order")
	}
	slices.Sort(came)
	slices.Sort(made)
	if !slices.Equal(came, made) {
		t.Errorf("came %v, want %v", came, made)
	}
	s.wantNothingMore(t)
}

func TestDelayedEventIsOvertaken(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	s.set(t, "/control/delivery", "mode=delayed&seconds=2&events=1")
	begun := time.Now()
	late := s.emitEvents(t, 1)[0]
	s.wantNothingMore(t)
	if one := s.recorder.next(t); one.event.ID != late || time.Since(begun) < 2*time.Second {
		t.Errorf("%s arrives after %s", one.event.ID, time.Since(begun))
	}
}

func TestDroppedEventIsSentOnlyByHand(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	s.set(t, "/control/delivery", "mode=dropped&events=1")
	lost := s.emitEvents(t, 1)[0]
	s.wantNothingMore(t)
	if missed := s.waitDelivered(t, lost); missed[0].PendingWebhooks != 1 {
		t.Errorf("got %d webhooks are pending, want 1", missed[0].PendingWebhooks)
	}
	s.set(t, "/control/delivery", "mode=dropped")
	s.set(t, "/control/events/"+lost+"/redeliver", "times=2")
	for range 2 {
		if one := s.recorder.next(t); one.event.ID != lost || one.err != nil {
			t.Errorf("got %s, %v", one.event.ID, one.err)
		}
	}
	s.waitDelivered(t)
}

func TestWronglySignedEventIsRetriedWithTheRightSecret(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	s.set(t, "/control/delivery", "mode=wrong_secret&events=1")
	id := s.emitEvents(t, 1)[0]
	if one := s.recorder.next(t); !errors.Is(one.err, webhook.ErrNoValidSignature) {
		t.Errorf("got %s with %s: %v", one.body, one.header, one.err)
	}
	if one := s.recorder.next(t); one.err != nil || one.event.ID != id {
		t.Errorf("repeated: %s, %v", one.event.ID, one.err)
	}
	s.waitDelivered(t)
	s.wantNothingMore(t)
}

func TestLastingModeTampersWithRetriesToo(t *testing.T) {
	t.Parallel()
	database, r := dbtest.Empty(t), newRecorder(t)
	s := recordedFixture{startWith(t, options(database, r.URL), nil), r}
	s.set(t, "/control/delivery", "mode=wrong_secret")
	id := s.emitEvents(t, 1)[0]
	for range 3 {
		if one := s.recorder.next(t); one.err == nil {
			t.Errorf("got %s, want it refused", one.event.ID)
		}
	}
	again := recordedFixture{startWith(t, options(database, r.URL), nil), r}
	if state := again.state(t); state["mode"] != "wrong_secret" || state["remaining"] != nil {
		t.Errorf("after another start: %v", state)
	}
	again.set(t, "/control/delivery", "mode=normal")
	for {
		if one := s.recorder.next(t); one.err == nil {
			if one.event.ID != id {
				t.Errorf("event: got %s, want %s", one.event.ID, id)
			}
			break
		}
	}
	s.waitDelivered(t)
}

func TestModeOfAnEarlierVersionCountsAsNormal(t *testing.T) {
	t.Parallel()
	database, r := dbtest.Empty(t), newRecorder(t)
	s := recordedFixture{startWith(t, options(database, r.URL), nil), r}
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer db.Close()
	const old = `INSERT INTO stripe_sandbox.settings (name, value) VALUES ('delivery', '{"mode": "parallel", "times": 3, "hold": 0, "types": []}')`
	if _, err := db.ExecContext(t.Context(), old); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	if state := s.state(t); state["mode"] != "normal" {
		t.Errorf("mode: got %v, want normal", state["mode"])
	}
	s.wantNothingMore(t)
}

func TestCheckoutCanRedirectWithoutWaiting(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	if state := s.set(t, "/control/delivery", "redirect_first=true"); state["redirect_first"] != true ||
		state["mode"] != "normal" {
		t.Errorf("state: got %v", state)
	}
	s.set(t, "/control/delivery", "mode=shuffled")
	session := s.checkout(t, s.offer(t).ID)
	if got := s.post(t, session.URL, url.Values{"action": {"pay"}}).StatusCode; got != http.StatusSeeOther {
		t.Errorf("pay: got %d, want 303", got)
	}
	if len(s.recorder.requests) != 0 {
		t.Error("the webhook came first")
	}
	s.set(t, "/control/release", "")
	if one := s.recorder.next(t); one.event.Type != "checkout.session.completed" {
		t.Errorf("got %s", one.event.Type)
	}
}

// One press loses the next event or sends it twice; a dispute begins at a payment.
func TestPageOffersWhatCanGoWrong(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	shown := s.get(t, "/dashboard/delivery")
	for name, mode := range map[string]string{"lose": "dropped", "twice": "duplicate"} {
		r := s.post(t, "/control/delivery", shown.fields("#tries form:has(#try-"+name+")"))
		if r.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: status %d, want 303", name, r.StatusCode)
		}
		if state := s.state(t); state["mode"] != mode || state["remaining"] != 1.0 {
			t.Errorf("%s: state %v, want %s for one event", name, state, mode)
		}
	}
	if to := shown.doc.Find("a#try-dispute").AttrOr("href", ""); s.get(t, to).StatusCode != http.StatusOK {
		t.Errorf("dispute leads to %q, want the payments", to)
	}
}
