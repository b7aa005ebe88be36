package purchase

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// ReadRevenue sums the payments for our purchases, and what of them went back, per currency, the largest first.
// Purchases under review count as ours until an admin decides otherwise.
func ReadRevenue(tx *gorm.DB) (all []models.Revenue, err error) {
	const ours = `FROM purchases WHERE paid_at IS NOT NULL AND paid_cents > 0 AND status <> 'foreign'`
	err = tx.Raw(`SELECT coalesce(nullif(paid_currency, ''), currency) AS currency, sum(paid_cents) AS paid ` + ours +
		` GROUP BY 1 ORDER BY paid DESC, currency`).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("sum the payments: %w", err)
	}
	var touched []models.Purchase // by a refund or a dispute
	err = tx.Raw(`SELECT id, payment_intent_id, currency, paid_currency, paid_cents ` + ours + ` AND payment_intent_id IN (
		SELECT payment_ref FROM stripe_refunds UNION SELECT payment_ref FROM stripe_disputes
		UNION SELECT payment_ref FROM stripe_charges WHERE amount_refunded > 0)`).Scan(&touched).Error
	if err != nil {
		return nil, fmt.Errorf("find payments that went back: %w", err)
	}
	back, err := moneyBackOf(tx, touched)
	if err != nil {
		return nil, err
	}
	byCurrency := map[string]*models.Revenue{}
	for i := range all {
		byCurrency[all[i].Currency] = &all[i]
	}
	for i, p := range touched {
		refunded, disputed := back[i].split(p.PaidCents)
		r := byCurrency[p.PaymentCurrency()]
		r.Refunded, r.Disputed = r.Refunded+refunded, r.Disputed+disputed
	}
	return all, nil
}
