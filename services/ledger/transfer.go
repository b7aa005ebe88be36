package ledger

import (
	"github.com/resume-matcher/credits/models"
)

// Transfer books credits of one user to another, with an entry on each side that names the other as its counterpart. It
// takes them also where they have been spent, as a refund does. Nothing is booked for 0 credits.
//
// Units: credits; negative ones are a debt that moves. Locks: both users must be locked by the caller's transaction.
// Idempotent: no.
func Transfer(tx models.Tx, from, to int64, credits models.Credits, meta models.Meta) ([]models.CreditTransaction, error) {
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

// overdraws reports whether an entry may take a balance below zero: where Stripe has moved the money back, and where the
// credits go with the purchase that they came from.
func (e Entry) overdraws() bool { return e.Reason.Overdraws() || e.Meta.Counterpart != 0 }
