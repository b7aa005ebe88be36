package purchase_test

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// The revenue is summed per currency of the payments; what went back counts once, and another product's money never.
func TestReadRevenue(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.buy("pi_2")
	foreign, _ := f.inState(models.PurchaseForeign)
	f.must(f.DB.Exec(`UPDATE purchases SET paid_at = now(), paid_cents = 3500, payment_intent_id = 'pi_foreign' WHERE id = ?`,
		foreign).Error)
	f.order("cs_francs")
	francs := paidSession("cs_francs", "pi_francs")
	francs.Paid, francs.PaidCurrency = 3371, "chf"
	f.must(f.bookFetched(francs))
	for id, payment := range map[string]string{"re_1": "pi_1", "re_2": "pi_2"} {
		f.must(f.bookFetched(purchase.Refund{ID: id, PaymentRef: payment, Currency: "eur", Status: "succeeded",
			Amount: 1000}))
	}
	for id, payment := range map[string]string{"dp_1": "pi_1", "dp_2": "pi_2"} {
		f.must(f.bookFetched(purchase.Dispute{ID: id, PaymentRef: payment, Currency: "eur", Status: "lost", Amount: 300}))
	}
	want := []models.Revenue{{Currency: "eur", Paid: 7000, Refunded: 2000, Disputed: 600}, {Currency: "chf", Paid: 3371}}
	if got, err := purchase.ReadRevenue(f.DB); err != nil || !slices.Equal(got, want) {
		t.Errorf("revenue = %+v, %v; want %+v", got, err, want)
	}
}
