package stripe_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

func TestDisputesChangeState(t *testing.T) {
	t.Parallel()
	const (
		opened  = "charge.dispute.created(needs_response) charge.dispute.funds_withdrawn(needs_response)"
		inquiry = "charge.dispute.created(warning_needs_response)"
	)
	for _, way := range []struct {
		name, begins string
		steps        []string
		emitted      string
		ends         string
		balance      int64 // of what was withdrawn and reinstated
		refundable   bool
	}{
		{"is opened", "", nil, opened, "needs_response", -4000, false},
		{"is lost at once", "lost", nil,
			"charge.dispute.created(lost) charge.dispute.funds_withdrawn(lost) charge.dispute.closed(lost)", "lost", -4000,
			false},
		{"is reviewed and won", "", []string{"review", "win"}, opened +
			" charge.dispute.updated(under_review<needs_response)" +
			" charge.dispute.closed(won) charge.dispute.funds_reinstated(won)", "won", 0, true},
		{"is reviewed and lost", "", []string{"review", "lose"}, opened +
			" charge.dispute.updated(under_review<needs_response) charge.dispute.closed(lost)", "lost", -4000, false},
		{"is won late", "", []string{"lose", "win"}, opened +
			" charge.dispute.closed(lost) charge.dispute.updated(won<lost)" +
			" charge.dispute.closed(won) charge.dispute.funds_reinstated(won)", "won", 0, true},
		{"is an inquiry that ends", "warning_needs_response", []string{"close"}, inquiry +
			" charge.dispute.closed(warning_closed)", "warning_closed", 0, true},
		{"is an inquiry that is reviewed", "warning_needs_response", []string{"review"},
			inquiry + " charge.dispute.updated(warning_under_review<warning_needs_response)", "warning_under_review", 0, true},
		{"is an inquiry that escalates", "warning_needs_response", []string{"escalate", "lose"}, inquiry +
			" charge.dispute.updated(needs_response<warning_needs_response) charge.dispute.funds_withdrawn(needs_response) charge.dispute.closed(lost)", "lost", -4000, false},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			payment := s.buy(t)
			seen := len(s.emitted(t))
			pairs := []string{}
			if way.begins != "" {
				pairs = []string{"status", way.begins}
			}
			id := s.run(t, "payments/"+payment.ID+"/dispute", pairs...)["id"].(string)
			for _, step := range way.steps {
				s.run(t, "disputes/"+id+"/"+step)
			}
			if got := s.emittedSince(t, seen); got != way.emitted {
				t.Errorf("emitted %s\nwant    %s", got, way.emitted)
			}
			d, err := s.api.Disputes.Get(id, nil)
			if err != nil {
				t.Fatalf("read dispute: %v", err)
			}
			var balance int64
			for _, one := range d.BalanceTransactions {
				balance += one.Net
			}
			if string(d.Status) != way.ends || d.Amount != 4000 || balance != way.balance ||
				d.IsChargeRefundable != way.refundable || d.PaymentIntent.ID != payment.ID {
				t.Errorf("dispute: got %s of %d, balance %d, refundable %t", d.Status, d.Amount, balance, d.IsChargeRefundable)
			}
			charge, err := s.api.Charges.Get(d.Charge.ID, nil)
			if err != nil || !charge.Disputed {
				t.Errorf("charge: got %+v, %v, want it disputed", charge, err)
			}
			_, err = s.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(payment.ID)})
			if way.refundable && err != nil {
				t.Errorf("refund: %v", err)
			}
			if !way.refundable {
				wantError(t, err, http.StatusBadRequest, "charge_disputed", "")
				s.wantRefused(t, http.StatusConflict, "charge_disputed", "payments/"+payment.ID+"/refund")
			}
		})
	}
}

func TestDisputesRefuseWrongStateChanges(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	open := s.run(t, "payments/"+payment.ID+"/dispute", "typed", "12,50", "seen", "0")
	if open["amount"] != 1250.0 || open["reason"] != "fraudulent" {
		t.Errorf("dispute: got %v", open)
	}
	s.wantRefused(t, http.StatusConflict, "changed", "payments/"+payment.ID+"/dispute", "seen", "0")
	inquiry := s.run(t, "payments/"+payment.ID+"/dispute", "status", "warning_needs_response", "amount", "5000")
	if inquiry["amount"] != 5000.0 {
		t.Errorf("inquiry: got %v, want it higher than the charge", inquiry)
	}
	for path, wrong := range map[string][]string{
		"disputes/" + open["id"].(string) + "/":    {"escalate", "close"},
		"disputes/" + inquiry["id"].(string) + "/": {"win", "lose"},
	} {
		for _, step := range wrong {
			s.wantRefused(t, http.StatusConflict, "dispute_state", path+step)
		}
	}
}

func TestDisputesAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	first, second := s.buy(t), s.buy(t)
	var ids []string
	for range 2 {
		ids = append(ids, s.run(t, "payments/"+first.ID+"/dispute")["id"].(string))
	}
	won := s.run(t, "payments/"+second.ID+"/dispute")["id"].(string)

	find := func(params *stripe.DisputeListParams) string {
		var found []string
		list := s.api.Disputes.List(params)
		for list.Next() {
			found = append(found, list.Dispute().ID)
		}
		if err := list.Err(); err != nil {
			t.Fatalf("list disputes: %v", err)
		}
		return strings.Join(found, " ")
	}
	for name, one := range map[string]struct {
		params *stripe.DisputeListParams
		want   string
	}{
		"by payment": {&stripe.DisputeListParams{PaymentIntent: stripe.String(first.ID)}, ids[1] + " " + ids[0]},
		"by charge":  {&stripe.DisputeListParams{Charge: stripe.String(second.LatestCharge.ID)}, won},
		"by time":    {&stripe.DisputeListParams{CreatedRange: &stripe.RangeQueryParams{LesserThan: first.Created}}, ""},
		"one by one": {&stripe.DisputeListParams{ListParams: stripe.ListParams{Limit: stripe.Int64(1)}}, won + " " + ids[1] +
			" " + ids[0]},
		"by position": {&stripe.DisputeListParams{ListParams: stripe.ListParams{StartingAfter: stripe.String(ids[1])}},
			ids[0]},
	} {
		if got := find(one.params); got != one.want {
			t.Errorf("%s: %s, want %s", name, got, one.want)
		}
	}
}

// A dispute has every member of Stripe's own fixture.
func TestDisputeHasEveryMember(t *testing.T) {
	t.Parallel()
	s := start(t)
	made := s.run(t, "payments/"+s.buy(t).ID+"/dispute")
	data, err := os.ReadFile(filepath.Join("testdata", "dispute.json"))
	if err != nil {
		t.Fatalf("read fixture: %v", err)
	}
	var want map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatalf("parse fixture: %v", err)
	}
	compareMembers(t, "dispute", want, made)
}

// compareMembers checks that both have the same members, at every depth.
func compareMembers(t *testing.T, path string, want, got map[string]any) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s.%s: Stripe has no such member", path, name)
		}
	}
	for name, value := range want {
		given, ok := got[name]
		if !ok {
			t.Errorf("%s.%s is missing", path, name)
		}
		if inner, ok := value.(map[string]any); ok {
			object, _ := given.(map[string]any)
			compareMembers(t, path+"."+name, inner, object)
		}
	}
}
