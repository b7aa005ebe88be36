package ledger

import (
	"github.com/resume-matcher/credits/models"
)

// Transfer moves credits from one user to another, with an entry on each side that names the other as its counterpart.
// Like a refund it may overdraw. It books nothing for 0 credits.
//
// Units: credits; a negative amount moves a debt. Locks: the caller must have locked both users.
// Idempotent: no.
func Transfer(tx models.Tx, from, to int64, credits models.Credits, meta models.Meta) ([]models.CreditTransaction,
	error) {
	if credits == 0 {
		return nil, nil
	}
	var rows []models.CreditTransaction
	for _, side := range []Entry{{UserID: from, Delta: -credits}, {UserID: to, Delta: credits}} {
		side.Reason, side.Meta = models.ReasonManual, meta
		side.Meta.Counterpart = from + to - side.UserID
		posted, err := Post(tx, side)
		if err != nil {
			return nil, err
		}
		rows = append(rows, posted.CreditTransaction)
	}
	return rows, nil
}

// overdraws reports whether an entry may take a balance below zero, and from a deleted account: after Stripe has
// returned the money, when the credits follow their purchase to another user, and for a withdrawal, whose credits the
// caller has counted.
func (e Entry) overdraws() bool {
	return e.Reason.Overdraws() || e.Meta.Counterpart != 0 || e.Meta.Withdrawal != ""
}
