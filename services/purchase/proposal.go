package purchase

import "github.com/resume-matcher/credits/models"

// propose returns how much of a payment to refund for unused credits: their share of the price, rounded up where that
// takes no further credit, so that no credit stays behind unpaid. back is what has gone back already: rounding earlier
// refunds down may have left a part of a credit, which one more cent completes.
//
// Units: cents of the payment's currency. unused is at most what the purchase still has granted, left at most what is
// left of the payment.
func propose(p models.Purchase, back money, unused models.Credits, left models.Cents) models.Cents {
	unused = min(unused, p.CreditsLeft())
	if unused <= 0 || left <= 0 {
		return 0
	}
	product := int64(p.PaidCents) * int64(unused) // at most 1e8 credits × 1e10 cents
	down := min(models.Cents(product/int64(p.CreditsGranted)), left)
	up := min(models.Cents((product+int64(p.CreditsGranted)-1)/int64(p.CreditsGranted)), left)
	if returnedCredits(p, back.plus(up))-returnedCredits(p, back) > unused {
		return down
	}
	return up
}

// returnedCredits returns how many of the granted credits the money that went back stands for.
func returnedCredits(p models.Purchase, back money) models.Credits {
	refunded, disputed := target(p.CreditsGranted, p.PaidCents, back)
	return refunded + disputed
}

// plus returns m with one more refund.
func (m money) plus(refund models.Cents) money {
	m.RefundsGood += int64(refund)
	return m
}
