package stripe_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"
)

func TestEventsReachEveryListeningEndpoint(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	other := newRecorder(t)
	made, err := s.api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
		URL: stripe.String(other.URL), EnabledEvents: stripe.StringSlice([]string{"*"}),
		APIVersion: stripe.String("2022-11-15"),
	})
	if err != nil {
		t.Fatalf("make endpoint: %v", err)
	}
	id := s.emitEvents(t, 1)[0]
	if one := s.recorder.next(t); one.event.ID != id || one.err != nil || one.event.APIVersion != "2024-06-20" {
		t.Errorf("own endpoint: %s, %v", one.event.ID, one.err)
	}
	theirs := other.next(t)
	if !errors.Is(theirs.err, webhook.ErrNoValidSignature) {
		t.Errorf("the other endpoint has our signature: %v", theirs.err)
	}
	event, err := webhook.ConstructEventWithOptions(theirs.body, theirs.header, made.Secret,
		webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
	if err != nil || event.ID != id || event.APIVersion != "2022-11-15" {
		t.Errorf("the other endpoint: %s %s, %v", event.ID, event.APIVersion, err)
	}
	left := s.waitDelivered(t, id)
	for end := time.Now().Add(patience); left[0].PendingWebhooks != 1 && time.Now().Before(end); {
		left = s.waitDelivered(t, id) // an answer is noted a moment after it came
	}
	if left[0].PendingWebhooks != 1 || left[0].APIVersion != "2024-06-20" {
		t.Errorf("got %d pending webhooks, want that of the one that refuses", left[0].PendingWebhooks)
	}
	if _, err := s.api.WebhookEndpoints.Update(made.ID,
		&stripe.WebhookEndpointParams{Disabled: stripe.Bool(true)}); err != nil {
		t.Fatalf("disable: %v", err)
	}
	second := s.emitEvents(t, 1)[0]
	if one := s.recorder.next(t); one.event.ID != second || one.event.PendingWebhooks != 1 {
		t.Errorf("own endpoint: %s, %d pending", one.event.ID, one.event.PendingWebhooks)
	}
	s.waitDelivered(t, id)
	if _, err := s.api.WebhookEndpoints.Del(made.ID, nil); err != nil {
		t.Fatalf("delete: %v", err)
	}
	s.waitDelivered(t)
}

func TestEventWithoutListenersCountsAsDelivered(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	s.set(t, "/control/delivery", "mode=dropped&events=1")
	own := s.endpoints(t)[0]
	if _, err := s.api.WebhookEndpoints.Update(own.ID,
		&stripe.WebhookEndpointParams{EnabledEvents: stripe.StringSlice([]string{"charge.refunded"})}); err != nil {
		t.Fatalf("listen to another: %v", err)
	}
	id := s.emitEvents(t, 1)[0]
	s.waitDelivered(t)
	if state := s.state(t); state["mode"] != "dropped" || state["remaining"] != 1.0 {
		t.Errorf("state: got %v: an event that goes nowhere was counted", state)
	}
	if status, answer := s.control(t, http.MethodPost, "/control/events/"+id+"/redeliver",
		""); status != http.StatusConflict {
		t.Errorf("event without endpoints: got %d %v", status, answer)
	}
	s.set(t, "/control/events/"+id+"/redeliver", "endpoint="+own.ID)
	if one := s.recorder.next(t); one.event.ID != id {
		t.Errorf("got %s", one.event.ID)
	}
}

func TestDeliveryPageShowsAndChangesThePlan(t *testing.T) {
	t.Parallel()
	s := startRecorded(t)
	shown := s.get(t, "/dashboard/delivery")
	if shown.StatusCode != http.StatusOK || shown.text("#now") != "Each event arrives once, correctly signed." ||
		shown.doc.Find("script, [style], style").Length() != 0 {
		t.Errorf("page: got %d %q", shown.StatusCode, shown.text("#now"))
	}
	if got := s.get(t, "/dashboard").doc.Find("#delivery").AttrOr("href", ""); got != "/dashboard/delivery" {
		t.Errorf("the dashboard leads to %q", got)
	}
	form := shown.fields("#mode-form")
	form.Set("mode", "shuffled")
	form.Set("events", "2")
	if set := s.post(t, "/control/delivery", form); set.StatusCode != http.StatusSeeOther ||
		set.Header.Get("Location") != "/dashboard/delivery?done=delivery" {
		t.Errorf("set: got %d to %s", set.StatusCode, set.Header.Get("Location"))
	}
	s.emitEvents(t, 1)
	german := s.do(t, http.MethodGet, "/dashboard/delivery?done=delivery", nil, map[string]string{"Accept-Language": "de"})
	if got := german.text(
		"#now"); got != "Ereignisse werden bis zur Freigabe zurückgehalten und dann in zufälliger Reihenfolge gesendet. Noch für so viele Ereignisse: 1." {
		t.Errorf("mode: got %q", got)
	}
	if german.text("#done") != "Die Änderung gilt ab dem nächsten Ereignis." ||
		german.texts("#held .type") != "customer.deleted" || german.text("#log .status") != "zurückgehalten" {
		t.Errorf("done %q, held %q, log %q", german.text("#done"), german.texts("#held .type"), german.text("#log .status"))
	}
	if released := s.post(t, german.doc.Find("#release-form").AttrOr("action", ""),
		german.fields("#release-form")); released.StatusCode != http.StatusSeeOther {
		t.Errorf("release: got %d", released.StatusCode)
	}
	id := s.recorder.next(t).event.ID
	s.waitDelivered(t)
	after := s.get(t, "/dashboard/delivery")
	if after.texts("#log .status") != "delivered" || after.text("#log .answer") != "200" ||
		after.text("#log .took") == "" || after.text("#log .event") != id {
		t.Errorf("log: got %q", after.texts("#log tbody tr"))
	}
	again := after.fields("form.again")
	if sent := s.post(t, after.doc.Find("form.again").AttrOr("action", ""),
		again); sent.StatusCode != http.StatusSeeOther {
		t.Errorf("send again: got %d", sent.StatusCode)
	}
	if one := s.recorder.next(t); one.event.ID != id {
		t.Errorf("got %s, want %s again", one.event.ID, id)
	}
	form.Set("events", "some")
	refused := s.get(t, s.post(t, "/control/delivery", form).Header.Get("Location"))
	if refused.text("#error[role=alert]") != "Please enter a whole number within the stated limits." {
		t.Errorf("refused: got %q", refused.text("#error"))
	}
	again.Set("back", "/dashboard/delivery")
	gone := s.get(t, s.post(t, "/control/events/evt_unknown/redeliver", again).Header.Get("Location"))
	if gone.text("#error") != "That does not exist, or no longer exists." {
		t.Errorf("send an unknown event again: got %q", gone.text("#error"))
	}
}
