package purchase

import "github.com/resume-matcher/credits/models"

// Proposal is how much to give back for credits that were not used: their share of the price, in the payment's cents.
// It is rounded up where that takes no further credit, so that nobody is left with a credit nobody pays for.
//
// Units: cents. unused is at most what the purchase still has granted, left at most what is left of the payment; what
// is missing of it was refunded before.
func Proposal(p models.Purchase, unused models.Credits, left models.Cents) models.Cents {
	return propose(p, money{RefundsGood: int64(p.PaidCents - left)}, unused, left)
}

// propose is Proposal beside what has gone back already: rounding earlier refunds down may have left a part of a credit,
// which one more cent completes.
func propose(p models.Purchase, back money, unused models.Credits, left models.Cents) models.Cents {
	unused = min(unused, p.CreditsGranted-p.CreditsRefunded-p.CreditsDisputed)
	if unused <= 0 || left <= 0 {
		return 0
	}
	product := int64(p.PaidCents) * int64(unused) // at most 1e8 credits × 1e10 cents
	down := min(models.Cents(product/int64(p.CreditsGranted)), left)
	up := min(models.Cents((product+int64(p.CreditsGranted)-1)/int64(p.CreditsGranted)), left)
	if taken(p, back.and(up))-taken(p, back) > unused {
		return down
	}
	return up
}

// taken is how many of the granted credits the money that went back stands for.
func taken(p models.Purchase, back money) models.Credits {
	refunded, disputed := target(p.CreditsGranted, p.PaidCents, back)
	return refunded + disputed
}

// and is the same with one more refund.
func (m money) and(refund models.Cents) money {
	m.RefundsGood += int64(refund)
	return m
}
