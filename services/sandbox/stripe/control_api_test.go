package stripe_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// emitted returns the events so far, oldest first: all, or those of the types.
func (s *fixture) emitted(t *testing.T, kinds ...string) []*stripe.Event {
	t.Helper()
	params := &stripe.EventListParams{ListParams: stripe.ListParams{Limit: stripe.Int64(100)}}
	if len(kinds) > 0 {
		params.Types = stripe.StringSlice(kinds)
	}
	var all []*stripe.Event
	list := s.api.Events.List(params)
	for list.Next() {
		all = append(all, list.Event())
	}
	if err := list.Err(); err != nil {
		t.Fatalf("list events: %v", err)
	}
	slices.Reverse(all)
	return all
}

// emittedSince returns the events after so many: "refund.failed(failed) charge.refund.updated(failed<succeeded)", each
// with the state of its object and the previous state.
func (s *fixture) emittedSince(t *testing.T, seen int) string {
	t.Helper()
	var all []string
	for _, event := range s.emitted(t)[seen:] {
		state, _ := event.Data.Object["status"].(string)
		if paid, ok := event.Data.Object["payment_status"].(string); ok {
			state = paid
		}
		if before, ok := event.Data.PreviousAttributes["status"].(string); ok {
			state += "<" + before
		}
		all = append(all, string(event.Type)+"("+state+")")
	}
	return strings.Join(all, " ")
}

// run runs a control and returns the object in its answer.
func (s *fixture) run(t *testing.T, path string, pairs ...string) map[string]any {
	t.Helper()
	status, object := s.command(t, path, pairs...)
	if status != http.StatusOK {
		t.Fatalf("%s %v: got %d %v", path, pairs, status, object)
	}
	return object
}

// wantRefused checks that a control refuses, with a code and without an event.
func (s *fixture) wantRefused(t *testing.T, want int, code, path string, pairs ...string) {
	t.Helper()
	seen := len(s.emitted(t))
	status, object := s.command(t, path, pairs...)
	failure, _ := object["error"].(map[string]any)
	got, _ := failure["code"].(string)
	if message, _ := failure["message"].(string); status != want || got != code || message == "" {
		t.Errorf("%s %v: got %d %v, want %d %s with a text", path, pairs, status, object, want, code)
	}
	if after := s.emittedSince(t, seen); after != "" {
		t.Errorf("%s was refused and emitted %s", path, after)
	}
}

// command posts the pairs to a control and decodes its answer.
func (s *fixture) command(t *testing.T, path string, pairs ...string) (int, map[string]any) {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return s.control(t, http.MethodPost, "/control/"+path, form.Encode())
}

func TestControlsRedirectBrowsers(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	page := "/dashboard/payments/" + payment.ID
	for _, step := range []struct {
		name, path string
		form       url.Values
		leads      string
	}{
		{"shows success", "/control/payments/" + payment.ID + "/refund", url.Values{"typed": {"1,50"}, "back": {page}}, page +
			"?done=payments.refund"},
		{"shows what is wrong", "/control/payments/" + payment.ID + "/refund", url.Values{"typed": {"much"}, "back": {page}},
			page + "?refused=typed"},
		{"shows that the state does not allow it", "/control/payments/" + payment.ID + "/succeed", url.Values{"back": {page}},
			page + "?refused=payment_not_processing"},
		{"redirects to no other site", "/control/payments/" + payment.ID + "/refund", url.Values{"back": {"//example.com/"}},
			"/dashboard?done=payments.refund"},
	} {
		t.Run(step.name, func(t *testing.T) {
			if got := s.post(t, step.path, step.form); got.StatusCode != http.StatusSeeOther ||
				got.Header.Get("Location") != step.leads {
				t.Errorf("got %d to %s, want 303 to %s", got.StatusCode, got.Header.Get("Location"), step.leads)
			}
		})
	}
	t.Run("refuses other sites", func(t *testing.T) {
		foreign := map[string]string{"Origin": "http://localhost:3000"}
		if got := s.do(t, http.MethodPost, "/control/customers/cus_1/delete", url.Values{},
			foreign).StatusCode; got != http.StatusForbidden {
			t.Errorf("control from another site: got %d, want 403", got)
		}
	})
	t.Run("answers 404 for an unknown object", func(t *testing.T) {
		s.wantRefused(t, http.StatusNotFound, "resource_missing", "payments/pi_unknown/refund")
		s.wantRefused(t, http.StatusNotFound, "resource_missing", "disputes/du_unknown/win")
		s.wantRefused(t, http.StatusNotFound, "resource_missing", "sessions/cs_unknown/expire")
	})
	t.Run("runs once for an idempotency key", func(t *testing.T) {
		other := s.buy(t)
		for range 2 {
			header := map[string]string{"Idempotency-Key": "once"}
			s.do(t, http.MethodPost, "/control/payments/"+other.ID+"/refund", url.Values{"amount": {"100"}}, header)
		}
		if charge, err := s.api.Charges.Get(other.LatestCharge.ID, nil); err != nil || charge.AmountRefunded != 100 {
			t.Errorf("charge: got %+v, %v, want 100 refunded", charge, err)
		}
	})
}

func TestControlDeletesCustomersAndExpiresSessions(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	seen := len(s.emitted(t))
	if got := s.run(t, "sessions/"+session.ID+"/expire"); got["status"] != "expired" {
		t.Errorf("session: got %v", got)
	}
	s.wantRefused(t, http.StatusConflict, "session_not_open", "sessions/"+session.ID+"/expire")
	s.wantRefused(t, http.StatusConflict, "session_not_open", "sessions/"+session.ID+"/pay")
	if got := s.run(t, "customers/"+session.Customer.ID+"/delete"); got["deleted"] != true {
		t.Errorf("customer: got %v", got)
	}
	if got, want := s.emittedSince(t, seen), "checkout.session.expired(unpaid) customer.deleted()"; got != want {
		t.Errorf("emitted %s, want %s", got, want)
	}
	if gone, err := s.api.Customers.Get(session.Customer.ID, nil); err != nil || !gone.Deleted {
		t.Errorf("customer: got %+v, %v", gone, err)
	}
	s.wantRefused(t, http.StatusNotFound, "resource_missing", "customers/"+session.Customer.ID+"/delete")
}
