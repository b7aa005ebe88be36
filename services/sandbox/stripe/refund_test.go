package stripe_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

func TestRefundsAreCumulativeAndBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	refunded := int64(0)
	for _, amount := range []int64{1000, 500} {
		params := &stripe.RefundParams{PaymentIntent: stripe.String(payment.ID), Amount: stripe.Int64(amount),
			Reason: stripe.String("requested_by_customer")}
		params.AddMetadata("actor", "1")
		refund, err := s.api.Refunds.New(params)
		if err != nil {
			t.Fatalf("refund %d: %v", amount, err)
		}
		refunded += amount
		if refund.Status != "succeeded" || refund.Amount != amount || refund.Charge.ID != payment.LatestCharge.ID ||
			refund.Metadata["actor"] != "1" {
			t.Errorf("refund: got %+v", refund)
		}
		var charge stripe.Charge
		var emitted stripe.Refund
		for range 2 { // in whatever order
			event := s.hooks.next(t, "charge.refunded", "refund.created")
			var err error
			if event.Type == "charge.refunded" {
				err = json.Unmarshal(event.Data.Raw, &charge)
			} else {
				err = json.Unmarshal(event.Data.Raw, &emitted)
			}
			if err != nil {
				t.Fatalf("decode event: %v", err)
			}
		}
		if charge.AmountRefunded != refunded || charge.Refunded || charge.Refunds != nil || emitted.ID != refund.ID {
			t.Errorf("events show charge %d refunded (%t), refund %s, want %d and %s", charge.AmountRefunded, charge.Refunded,
				emitted.ID, refunded, refund.ID)
		}
	}

	_, err := s.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(payment.ID), Amount: stripe.Int64(2501)})
	wantError(t, err, http.StatusBadRequest, "", "amount")
	if _, err = s.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(payment.LatestCharge.ID)}); err != nil {
		t.Fatalf("refund the rest: %v", err)
	}
	_, err = s.api.Refunds.New(&stripe.RefundParams{Charge: stripe.String(payment.LatestCharge.ID)})
	wantError(t, err, http.StatusBadRequest, "charge_already_refunded", "")
	charge, err := s.api.Charges.Get(payment.LatestCharge.ID, nil)
	if err != nil || charge.AmountRefunded != 4000 || !charge.Refunded {
		t.Errorf("charge: got %+v, %v", charge, err)
	}

	var amounts []int64
	list := s.api.Refunds.List(&stripe.RefundListParams{
		PaymentIntent: stripe.String(payment.ID), ListParams: stripe.ListParams{Limit: stripe.Int64(1)},
	})
	for list.Next() { // three pages of one
		amounts = append(amounts, list.Refund().Amount)
	}
	if list.Err() != nil || len(amounts) != 3 || amounts[0] != 2500 || amounts[1] != 500 || amounts[2] != 1000 {
		t.Errorf("refunds: got %v, %v, want 2500, 500, 1000", amounts, list.Err())
	}
}

func TestDashboardRefunds(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.buy(t)
	row := "#" + payment.ID
	german := map[string]string{"Accept-Language": "de-DE,de;q=0.9"}
	dashboard := s.do(t, http.MethodGet, "/dashboard", nil, german)
	form := dashboard.fields(row + " form")
	if form.Get("typed") != "40,00" || dashboard.text(row+" .amount") != "40,00 €" ||
		dashboard.text(row+" .customer") != "erika@example.com" {
		t.Errorf("row: got %q with %v", dashboard.text(row), form)
	}
	if got := dashboard.texts("#events .type"); got == "" {
		t.Error("no events listed")
	}

	control := "/control/payments/" + payment.ID + "/refund"
	for _, step := range []struct{ name, amount, leads, refunded string }{
		{"refuses what is not an amount", "ten", "?refused=typed", "€0.00"},
		{"refuses a third decimal", "1.005", "?refused=typed", "€0.00"},
		{"refuses more than the rest", "40,01", "?refused=amount", "€0.00"},
		{"refunds a part", "12,50", "?done=payments.refund", "€12.50"},
		{"does not refund the same form twice", "12,50", "?refused=changed", "€12.50"},
	} {
		t.Run(step.name, func(t *testing.T) {
			form.Set("typed", step.amount)
			if got := s.post(t, control, form).Header.Get("Location"); got != "/dashboard"+step.leads {
				t.Errorf("refund leads to %q, want %s", got, step.leads)
			}
			after := s.get(t, "/dashboard"+step.leads)
			if got := after.text(row + " .refunded"); got != step.refunded {
				t.Errorf("refunded: got %s, want %s", got, step.refunded)
			}
			if after.doc.Find("#error, #done").Length() != 1 {
				t.Error("the page does not show the result")
			}
		})
	}
	rest := s.get(t, "/").fields(row + " form")
	if rest.Get("typed") != "27.50" {
		t.Errorf("rest: got %q, want 27.50", rest.Get("typed"))
	}
	s.post(t, control, rest)
	if left := s.get(t, "/dashboard").doc.Find(row + " form").Length(); left != 0 {
		t.Error("a form beside a payment that was refunded in full")
	}
}
