package stripeapi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestReduceEvent(t *testing.T) {
	t.Parallel()
	for name, object := range map[string]string{
		"a paid session": `{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid",
			"status":"complete",			"payment_intent":{"id":"pi_1","receipt_email":"ada@example.com"},"customer":"cus_1","recovered_from":"cs_0",
			"currency":"chf","amount_subtotal":3400,"amount_total":3400,"shipping":{"name":"Ada"},
			"currency_conversion":{"source_currency":"eur","amount_subtotal":3500,"fx_rate":"1"},
			"metadata":{"credits":"1200","purchase_id":"p","credits_installation":"i"}}`,
		"a charge without a payment": `{"id":"ch_1","object":"charge","payment_intent":null,"amount":3500,
			"amount_refunded":500,"currency":"eur","billing_details":{"email":"ada@example.com"}}`,
		"a failed refund": `{"id":"re_1","object":"refund","charge":"ch_1","amount":500,"currency":"eur","status":"failed",
			"failure_reason":"lost_or_stolen_card","description":"Ada"}`,
		"a dispute": `{"id":"dp_1","object":"dispute","charge":{"id":"ch_1"},"amount":3500,"currency":"eur","status":"lost",
			"balance_transactions":[{"amount":-3500,"currency":"eur","fee":1500}],"evidence":{"customer_name":"Ada"}}`,
		"a price": `{"id":"price_1","object":"price","product":{"id":"prod_1","name":"Ada"}}`,
	} {
		t.Run("keeps the fields that we read of "+name, func(t *testing.T) {
			t.Parallel()
			payload := `{"id":"evt_1","type":"kind","created":1,"data":{"object":` + object + `}}`
			want, err := stripeapi.ObjectOf([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			reduced := string(stripeapi.ReduceEvent([]byte(payload)))
			got, err := stripeapi.ObjectOf([]byte(reduced))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("fields that we read changed (%v, -want +got):\n%s", err, diff)
			}
			if strings.Contains(reduced, "ada@example.com") || strings.Contains(reduced, "Ada") {
				t.Errorf("reduced event = %s, want no personal data", reduced)
			}
		})
	}
	t.Run("drops the address of the customer and other metadata", func(t *testing.T) {
		t.Parallel()
		got := string(stripeapi.ReduceEvent([]byte(`{"id":"evt_1","type":"kind","data":{"object":{"id":"cs_1",
			"customer_details":{"email":"ada@example.com"},"metadata":{"credits":"100","name":"Ada"}}}}`)))
		if want := `{"id":"evt_1","type":"kind","data":{"object":{"id":"cs_1","metadata":{"credits":"100"}}}}`; got != want {
			t.Errorf("reduced event = %s, want %s", got, want)
		}
	})
	t.Run("keeps that the event is of a connected account", func(t *testing.T) {
		t.Parallel()
		payload := `{"id":"evt_1","type":"kind","account":"acct_1","data":{"object":{"id":"cs_1"}}}`
		if _, err := stripeapi.ObjectOf(stripeapi.ReduceEvent([]byte(payload))); !errors.Is(err, models.CauseAccount) {
			t.Errorf("error = %v, want %v", err, models.CauseAccount)
		}
	})
	for _, payload := range []string{`no JSON ada@example.com`,
		`{"id":"evt_1","data":{"object":{"id":"re_1","amount":"ada@example.com"}}}`} {
		t.Run("empties a payload that cannot be read", func(t *testing.T) {
			t.Parallel()
			if got := string(stripeapi.ReduceEvent([]byte(payload))); got != `{}` {
				t.Errorf("reduced event = %s, want {}", got)
			}
		})
	}
}
