package purchase

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// BeginWithdrawal records how many credits of a purchase were used when its withdrawal was declared, and reserves the
// unused ones. Credits in holds of running work count as used.
//
// Units: credits. Locks: the user, then the holds; the caller has called LockForDecision and inserted the declaration.
func BeginWithdrawal(tx models.Tx, p models.Purchase) error {
	if _, err := endPeriodHold(tx, p); err != nil { // the hold of the withdrawal replaces it
		return err
	}
	user, err := ledger.Lock(tx, p.UserID)
	if err != nil {
		return err
	}
	back, err := returnedWithPending(tx.DB, p)
	if err != nil {
		return err
	}
	used := Detail{Purchase: p, back: back}.Used(user.Available())
	err = tx.Exec(`UPDATE withdrawals SET used_credits = @used, running_credits = least(@used, (SELECT coalesce(sum(credits), 0)
			FROM holds WHERE user_id = @user AND status = 'open' AND `+models.FeatureHoldSQL+`))
		WHERE purchase_id = @id`, map[string]any{"used": used, "user": p.UserID, "id": p.ID}).Error
	if err != nil {
		return fmt.Errorf("record the use of purchase %s: %w", p.ID, err)
	}
	return HoldWithdrawn(tx, p)
}

// HoldWithdrawn brings the hold of an open declaration of withdrawal to the purchase's unused credits, so that the
// buyer cannot spend what is refunded next. Without an open declaration it does nothing.
//
// Units: credits. Locks: the user, then the holds; the caller has locked the purchase. Idempotent.
func HoldWithdrawn(tx models.Tx, p models.Purchase) error {
	w, err := openWithdrawal(tx, p.ID)
	if err != nil || w == nil || w.UsedCredits == nil {
		return err
	}
	if _, err := endPeriodHold(tx, p); err != nil {
		return err
	}
	if _, err := endHold(tx, p.UserID, w.HoldID); err != nil {
		return err
	}
	user, err := ledger.Lock(tx, p.UserID)
	if err != nil {
		return err
	}
	held := min(w.Unused(p), user.Available())
	if held <= 0 || user.DeletedAt != nil {
		return saveWithdrawnHold(tx, w.ID, nil)
	}
	id, err := hold(tx, p, models.ReasonWithdrawal, held)
	if err != nil {
		return err
	}
	return saveWithdrawnHold(tx, w.ID, &id)
}

// ReleaseWithdrawn frees the credits that a declaration of withdrawal holds.
//
// Locks: the user, then the hold; the caller has locked the purchase. Idempotent.
func ReleaseWithdrawn(tx models.Tx, p models.Purchase) error {
	w, err := openWithdrawal(tx, p.ID)
	if err != nil || w == nil || w.HoldID == nil {
		return err
	}
	if _, err := endHold(tx, p.UserID, w.HoldID); err != nil {
		return err
	}
	return saveWithdrawnHold(tx, w.ID, nil)
}

// LapseWithdrawn takes the unused credits that a declaration of withdrawal kept in the balance of a deleted account,
// when it is closed and they were not refunded.
//
// Units: credits. Locks: the user; the caller has locked the purchase.
func LapseWithdrawn(tx models.Tx, d Detail, w models.Withdrawal) ([]models.CreditTransaction, error) {
	user, err := ledger.Lock(tx, d.UserID)
	if err != nil || user.DeletedAt == nil {
		return nil, err
	}
	return postWithdrawn(tx, d.Purchase, w, -min(d.UnusedWithdrawn(w), max(user.CreditsBalance, 0)))
}

// RestoreLapsed undoes LapseWithdrawn for a declaration that is opened again.
//
// Units: credits. Locks: the user; the caller has locked the purchase. Idempotent.
func RestoreLapsed(tx models.Tx, p models.Purchase, w models.Withdrawal) ([]models.CreditTransaction, error) {
	user, err := ledger.Lock(tx, p.UserID)
	if err != nil || user.DeletedAt == nil {
		return nil, err
	}
	var booked models.Credits // for the withdrawal: what it waived, less what lapsed
	err = tx.Raw(`SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions
		WHERE meta ->> 'purchase_id' = ? AND meta ->> 'withdrawal' = ? AND user_id = ?`, p.ID.String(), w.ID.String(), p.UserID).
		Scan(&booked).Error
	if err != nil {
		return nil, fmt.Errorf("credits that lapsed with withdrawal %s: %w", w.ID, err)
	}
	return postWithdrawn(tx, p, w, w.WaivedCredits-booked)
}

// postWithdrawn books credits because of a withdrawal; nothing if they are 0.
func postWithdrawn(tx models.Tx, p models.Purchase, w models.Withdrawal, delta models.Credits,
) ([]models.CreditTransaction, error) {
	if delta == 0 {
		return nil, nil
	}
	meta := metaOf(p)
	meta.Actor, meta.Withdrawal = "system", w.ID.String()
	posted, err := ledger.Post(tx, ledger.Entry{UserID: p.UserID, Delta: delta, Reason: models.ReasonManual, Meta: meta})
	if err != nil {
		return nil, fmt.Errorf("book %d credits for withdrawal %s: %w", delta, w.ID, err)
	}
	return []models.CreditTransaction{posted.CreditTransaction}, nil
}

// openWithdrawal returns the open declaration of withdrawal from a purchase, or nil.
func openWithdrawal(tx models.Tx, purchaseID uuid.UUID) (*models.Withdrawal, error) {
	var rows []models.Withdrawal
	err := tx.Raw(`SELECT * FROM withdrawals WHERE purchase_id = ? AND handled_at IS NULL`, purchaseID).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("withdrawal from purchase %s: %w", purchaseID, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

func saveWithdrawnHold(tx models.Tx, withdrawalID uuid.UUID, hold *uuid.UUID) error {
	if err := tx.Exec(`UPDATE withdrawals SET hold_id = ? WHERE id = ?`, hold, withdrawalID).Error; err != nil {
		return fmt.Errorf("save the hold of withdrawal %s: %w", withdrawalID, err)
	}
	return nil
}

// settleWithdrawn adjusts an open withdrawal to the settled purchase: its hold, and the credits that a refund took
// beyond the unused ones. Those are given back unless the buyer consented to pay for use (§ 357a Abs. 2 BGB). If a
// refund fails afterwards, a closed withdrawal is opened again.
//
// Locks: the user, then the holds; the caller has locked the purchase.
func settleWithdrawn(tx models.Tx, p models.Purchase, cameBack bool) ([]models.CreditTransaction, error) {
	reopened := false
	if cameBack {
		opened := tx.Exec(`UPDATE withdrawals SET handled_at = NULL, handled_by = NULL, refunded_cents = NULL, judged_at = now()
			WHERE purchase_id = ? AND refunded_cents > 0`, p.ID)
		if opened.Error != nil {
			return nil, fmt.Errorf("reopen the withdrawal from purchase %s: %w", p.ID, opened.Error)
		}
		reopened = opened.RowsAffected > 0
	}
	w, err := openWithdrawal(tx, p.ID)
	if err != nil || w == nil || w.UsedCredits == nil {
		return nil, err
	}
	var restored []models.CreditTransaction
	if reopened {
		if restored, err = RestoreLapsed(tx, p, *w); err != nil {
			return nil, err
		}
	}
	rows, err := waive(tx, p, *w)
	if err != nil {
		return nil, err
	}
	return append(restored, rows...), HoldWithdrawn(tx, p)
}

// waive gives back the used credits that the refunds took, or takes them again when a refund failed.
func waive(tx models.Tx, p models.Purchase, w models.Withdrawal) ([]models.CreditTransaction, error) {
	change := w.Waived(p) - w.WaivedCredits
	if change < 0 { // a correction must not overdraw
		if _, err := endPeriodHold(tx, p); err != nil { // of what came back; HoldWithdrawn holds it again
			return nil, err
		}
		if _, err := endHold(tx, p.UserID, w.HoldID); err != nil {
			return nil, err
		}
		user, err := ledger.Lock(tx, p.UserID)
		if err != nil {
			return nil, err
		}
		change = max(change, -max(user.Available(), 0))
	}
	rows, err := postWithdrawn(tx, p, w, change)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	err = tx.Exec(`UPDATE withdrawals SET waived_credits = waived_credits + ? WHERE id = ?`, change, w.ID).Error
	if err != nil {
		return nil, fmt.Errorf("save what withdrawal %s waives: %w", w.ID, err)
	}
	return rows, nil
}
