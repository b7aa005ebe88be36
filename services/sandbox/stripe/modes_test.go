package stripe_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestDuplicatesArriveOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	s.set(t, "/control/delivery", "mode=duplicate&times=3&events=1")
	gate := make(chan struct{})
	s.witness.gate.Store(&gate)
	id := s.cause(t, 1)[0]
	if one := s.witness.next(t); one.event.ID != id || one.err != nil {
		t.Errorf("arrived %s, %v", one.event.ID, one.err)
	}
	s.nothingMore(t) // not before the first is answered: this later event has overtaken them
	if got := s.get(t, "/dashboard/delivery").doc.Find("#log .attempts").Length(); got != 2 {
		t.Errorf("%d deliveries were tried, want the first copy and the later event", got)
	}
	close(gate)
	for range 2 {
		if one := s.witness.next(t); one.event.ID != id || one.err != nil {
			t.Errorf("arrived %s, %v", one.event.ID, one.err)
		}
	}
	s.nothingMore(t)
}

func TestParallelCopiesAreUnderWayTogether(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	s.set(t, "/control/delivery", "mode=parallel&times=10&events=1")
	s.witness.meet <- 10
	id := s.cause(t, 1)[0]
	for range 10 {
		if one := s.witness.next(t); one.event.ID != id || one.err != nil {
			t.Errorf("arrived %s, %v", one.event.ID, one.err)
		}
	}
	s.settled(t)
	s.nothingMore(t)
}

func TestSecondEventTellsTheSameFact(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	s.set(t, "/control/delivery", "mode=second_event&times=2&events=1")
	s.cause(t, 1)
	seen, facts := map[string]bool{}, map[string]bool{}
	for range 3 {
		one := s.witness.next(t)
		seen[one.event.ID], facts[string(one.event.Data.Raw)] = true, true
	}
	if len(seen) != 3 || len(facts) != 1 {
		t.Errorf("%d events about %d facts, want 3 about 1", len(seen), len(facts))
	}
	if all := s.events(t, nil); len(all) != 3 {
		t.Errorf("%d events are listed, want 3", len(all))
	}
	s.nothingMore(t)
}

func TestShuffledEventsAreHeldAndThenOutOfOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode    string
		release bool
	}{
		"until there are enough":  {"mode=shuffled&hold=5&events=5", false},
		"until they are released": {"mode=shuffled&events=5", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startModed(t)
			s.set(t, "/control/delivery", c.mode)
			made := s.cause(t, 4)
			if state := s.state(t); state["held"] != 4.0 || state["remaining"] != 1.0 || len(s.witness.arrivals) != 0 {
				t.Errorf("state = %v, %d arrived", state, len(s.witness.arrivals))
			}
			made = append(made, s.cause(t, 1)...)
			if c.release {
				if n := len(s.events(t, stripe.Bool(false))); n != 5 {
					t.Errorf("%d undelivered, want 5", n)
				}
				if answer := s.set(t, "/control/release", ""); answer["released"] != 5.0 {
					t.Errorf("released = %v", answer)
				}
			}
			var came []string
			for range 5 {
				came = append(came, s.witness.next(t).event.ID)
			}
			if slices.Equal(came, made) {
				t.Error("they came in their order")
			}
			slices.Sort(came)
			slices.Sort(made)
			if !slices.Equal(came, made) {
				t.Errorf("came %v, want %v", came, made)
			}
			s.nothingMore(t)
		})
	}
}

func TestDelayedEventIsOvertaken(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	s.set(t, "/control/delivery", "mode=delayed&seconds=2&events=1")
	begun := time.Now()
	late := s.cause(t, 1)[0]
	s.nothingMore(t)
	if one := s.witness.next(t); one.event.ID != late || time.Since(begun) < 2*time.Second {
		t.Errorf("%s arrives after %s", one.event.ID, time.Since(begun))
	}
}

func TestDroppedEventComesOnlyByHand(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	s.set(t, "/control/delivery", "mode=dropped&events=1")
	lost := s.cause(t, 1)[0]
	s.nothingMore(t)
	if missed := s.settled(t, lost); missed[0].PendingWebhooks != 1 {
		t.Errorf("%d webhooks are pending, want 1", missed[0].PendingWebhooks)
	}
	s.set(t, "/control/delivery", "mode=dropped")
	s.set(t, "/control/events/"+lost+"/redeliver", "times=2")
	for range 2 {
		if one := s.witness.next(t); one.event.ID != lost || one.err != nil {
			t.Errorf("arrived %s, %v", one.event.ID, one.err)
		}
	}
	s.settled(t)
	s.set(t, "/control/events/"+lost+"/redeliver", "as=second_event")
	if one := s.witness.next(t); one.event.ID == lost || one.event.Type != "customer.deleted" {
		t.Errorf("second event = %s %s", one.event.ID, one.event.Type)
	}
}

func TestSpoiltDeliveryIsRefusedAndRepeatedRightly(t *testing.T) {
	t.Parallel()
	for mode, check := range map[string]func(arrival) bool{
		"wrong_secret":               func(a arrival) bool { return errors.Is(a.err, webhook.ErrNoValidSignature) },
		"old_timestamp&seconds=301":  func(a arrival) bool { return errors.Is(a.err, webhook.ErrTooOld) },
		"trailing_byte":              func(a arrival) bool { return errors.Is(a.err, webhook.ErrNoValidSignature) && json.Valid(a.body) },
		"other_version&api_version=": func(a arrival) bool { return strings.Contains(a.err.Error(), "2024-10-28.acacia") },
		"other_version&api_version=2022-11-15": func(a arrival) bool {
			return strings.Contains(a.err.Error(), "2022-11-15") && strings.Contains(string(a.body), `"api_version": "2022-11-15"`)
		},
		"thin": func(a arrival) bool {
			return strings.Contains(a.err.Error(), "created") && !strings.Contains(string(a.body), `"data"`) && webhook.ValidatePayload(a.body, a.header, hookSecret) == nil
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := startModed(t)
			s.set(t, "/control/delivery", "mode="+mode+"&events=1")
			id := s.cause(t, 1)[0]
			if one := s.witness.next(t); one.err == nil || !check(one) {
				t.Errorf("arrived %s with %s: %v", one.body, one.header, one.err)
			}
			if one := s.witness.next(t); one.err != nil || one.event.ID != id {
				t.Errorf("repeated: %s, %v", one.event.ID, one.err)
			}
			s.settled(t)
			s.nothingMore(t)
		})
	}
}

func TestOddDeliveryIsTakenByStripesLibrary(t *testing.T) {
	t.Parallel()
	for mode, check := range map[string]func(arrival) bool{
		"future_timestamp&seconds=86400": func(a arrival) bool {
			stamp, _, _ := strings.Cut(strings.TrimPrefix(a.header, "t="), ",")
			at, err := strconv.ParseInt(stamp, 10, 64)
			return err == nil && time.Unix(at, 0).After(time.Now().Add(23*time.Hour))
		},
		"two_secrets": func(a arrival) bool {
			first := strings.SplitN(a.header, ",", 3)
			return strings.Count(a.header, "v1=") == 3 &&
				errors.Is(webhook.ValidatePayload(a.body, first[0]+","+first[1], hookSecret), webhook.ErrNoValidSignature)
		},
		"livemode": func(a arrival) bool { return a.event.Livemode && a.event.Data.Object["livemode"] == true },
		"no_data":  func(a arrival) bool { return a.event.Data == nil && a.event.ID != "" },
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := startModed(t)
			s.set(t, "/control/delivery", "mode="+mode+"&events=1")
			s.cause(t, 1)
			if one := s.witness.next(t); one.err != nil || !check(one) {
				t.Errorf("arrived %s with %s: %v", one.body, one.header, one.err)
			}
			s.settled(t)
			s.nothingMore(t)
		})
	}
}

func TestModeUntilChangedSpoilsRepetitionsToo(t *testing.T) {
	t.Parallel()
	database, w := dbtest.Empty(t), newWitness(t)
	s := moded{startWith(t, options(database, w.URL), nil), w}
	s.set(t, "/control/delivery", "mode=wrong_secret")
	id := s.cause(t, 1)[0]
	for range 3 {
		if one := s.witness.next(t); one.err == nil {
			t.Errorf("arrived %s, want it refused", one.event.ID)
		}
	}
	again := moded{startWith(t, options(database, w.URL), nil), w}
	if state := again.state(t); state["mode"] != "wrong_secret" || state["remaining"] != nil {
		t.Errorf("after another start: %v", state)
	}
	again.set(t, "/control/delivery", "mode=normal")
	for {
		if one := s.witness.next(t); one.err == nil {
			if one.event.ID != id {
				t.Errorf("event = %s, want %s", one.event.ID, id)
			}
			break
		}
	}
	s.settled(t)
}

func TestModeIsForTheTypesThatItNames(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	s.set(t, "/control/delivery", "mode=dropped&events=2&types=checkout.session.expired,+charge.refunded")
	s.nothingMore(t)
	session := s.checkout(t, s.offer(t).ID)
	if _, err := s.api.CheckoutSessions.Expire(session.ID, nil); err != nil {
		t.Fatalf("expire: %v", err)
	}
	s.nothingMore(t)
	if state := s.state(t); state["remaining"] != 1.0 {
		t.Errorf("state = %v, want one more event", state)
	}
}

func TestCheckoutNeedNotWait(t *testing.T) {
	t.Parallel()
	s := startModed(t)
	if state := s.set(t, "/control/delivery", "redirect_first=true"); state["redirect_first"] != true || state["mode"] != "normal" {
		t.Errorf("state = %v", state)
	}
	s.set(t, "/control/delivery", "mode=shuffled")
	session := s.checkout(t, s.offer(t).ID)
	if got := s.post(t, session.URL, url.Values{"action": {"pay"}}).StatusCode; got != http.StatusSeeOther {
		t.Errorf("pay = %d, want 303", got)
	}
	if len(s.witness.arrivals) != 0 {
		t.Error("the webhook came first")
	}
	s.set(t, "/control/release", "")
	if one := s.witness.next(t); one.event.Type != "checkout.session.completed" {
		t.Errorf("arrived %s", one.event.Type)
	}
}
