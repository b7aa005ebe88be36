package stripe_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

func TestRefundsChangeState(t *testing.T) {
	t.Parallel()
	updated := func(state string) string { return "charge.refund.updated(" + state + ") refund.updated(" + state + ")" }
	for _, way := range []struct {
		name, begins, step, ends, left string
		sum                            int64
		emitted                        string
	}{
		{"a pending one succeeds", "pending", "succeed", "succeeded", "", 1500, updated("succeeded<pending")},
		{"a pending one fails", "pending", "fail", "failed", "unknown", 0, updated("failed<pending") +
			" refund.failed(failed)"},
		{"one fails after it succeeded", "succeeded", "fail", "failed", "unknown", 0,
			updated("failed<succeeded") + " refund.failed(failed)"},
		{"a pending one is canceled", "pending", "cancel", "canceled", "", 0, updated("canceled<pending")},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			payment := s.buy(t)
			made := s.run(t, "payments/"+payment.ID+"/refund", "amount", "1500", "status", way.begins)
			if made["status"] != way.begins {
				t.Fatalf("refund: got %v, want it %s", made, way.begins)
			}
			id, _ := made["id"].(string)
			s.wantRefunded(t, payment, 1500)
			seen := len(s.emitted(t))
			after := s.run(t, "refunds/"+id+"/"+way.step)
			if got := s.emittedSince(t, seen); got != way.emitted {
				t.Errorf("emitted %s, want %s", got, way.emitted)
			}
			if reason, _ := after["failure_reason"].(string); after["status"] != way.ends || reason != way.left {
				t.Errorf("refund: got %s %q, want %s %q", after["status"], reason, way.ends, way.left)
			}
			s.wantRefunded(t, payment, way.sum)
			for _, again := range []string{"fail", "cancel", "succeed"} {
				if again != "fail" || way.ends != "succeeded" {
					s.wantRefused(t, http.StatusConflict, "refund_state", "refunds/"+id+"/"+again)
				}
			}
		})
	}
}

func (s *fixture) wantRefunded(t *testing.T, payment *stripe.PaymentIntent, want int64) {
	t.Helper()
	charge, err := s.api.Charges.Get(payment.LatestCharge.ID, nil)
	if err != nil || charge.AmountRefunded != want || charge.Refunded != (want >= charge.Amount) {
		t.Errorf("charge: got %d refunded (%t), %v, want %d", charge.AmountRefunded, charge.Refunded, err, want)
	}
}

func TestFailedRefundCanBeRepeated(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	first := s.run(t, "payments/"+payment.ID+"/refund")
	s.wantRefused(t, http.StatusConflict, "charge_already_refunded", "payments/"+payment.ID+"/refund")
	s.run(t, "refunds/"+first["id"].(string)+"/fail")
	s.run(t, "payments/"+payment.ID+"/refund")
	s.wantRefunded(t, payment, 4000)
	s.wantRefused(t, http.StatusConflict, "charge_already_refunded", "payments/"+payment.ID+"/refund")
}

func TestRefundByControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	path := "payments/" + payment.ID + "/refund"
	seen := len(s.emitted(t))
	made := s.run(t, path, "typed", "12,50", "status", "pending", "seen", "0")
	if made["amount"] != 1250.0 || made["status"] != "pending" || made["reason"] != "requested_by_customer" {
		t.Errorf("refund: got %v", made)
	}
	s.wantRefused(t, http.StatusConflict, "changed", path, "typed", "12,50", "seen", "0")
	s.wantRefused(t, http.StatusBadRequest, "", path, "amount", strconv.Itoa(4000-1250+1))
	s.wantRefused(t, http.StatusBadRequest, "", path, "typed", "1,005")
	if got, want := s.emittedSince(t,
		seen), "charge.refunded(succeeded) refund.created(pending)"; got != want {
		t.Errorf("emitted %s, want %s", got, want)
	}
}

func TestRefundsAreListedByTime(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	var made []*stripe.Refund
	for range 3 {
		refund, err := s.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(payment.ID),
			Amount: stripe.Int64(100)})
		if err != nil {
			t.Fatalf("refund: %v", err)
		}
		made = append(made, refund)
	}
	count := func(params *stripe.RefundListParams) (n int) {
		list := s.api.Refunds.List(params)
		for list.Next() {
			n++
		}
		if err := list.Err(); err != nil {
			t.Fatalf("list refunds: %v", err)
		}
		return n
	}
	for name, one := range map[string]struct {
		bound int64
		want  int
	}{"from the first on": {made[0].Created, 3}, "after the last": {made[2].Created + 1, 0}} {
		if got := count(
			&stripe.RefundListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: one.bound}}); got != one.want {
			t.Errorf("%s: %d refunds, want %d", name, got, one.want)
		}
	}
	after := &stripe.RefundListParams{Charge: stripe.String(payment.LatestCharge.ID),
		ListParams: stripe.ListParams{StartingAfter: stripe.String(made[1].ID)}}
	if got := count(after); got != 1 {
		t.Errorf("got %d refunds after the second newest, want 1", got)
	}
}
