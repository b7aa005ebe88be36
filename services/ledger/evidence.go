package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// Book runs fn, which returns the entries that it books, in one transaction, and logs them. Should the reply to COMMIT
// be lost, it finds out whether the transaction took effect, by the entries or, where it books none, by other evidence,
// which may be nil.
//
// Errors: those of fn; postgres.UnknownError when the outcome is unknown. The entries are then logged later.
func Book(ctx context.Context, db *gorm.DB, log *slog.Logger, fn func(tx models.Tx) ([]models.CreditTransaction, error),
	other postgres.Evidence, facts ...any) error {
	var rows []models.CreditTransaction
	err := postgres.Confirmed(ctx, db, func(tx models.Tx) (err error) {
		rows, err = fn(tx)
		return err
	}, func(tx models.Tx) (bool, error) {
		switch {
		case len(rows) > 0:
			return entryStands(tx, rows[0])
		case other != nil:
			return other(tx)
		}
		return false, errNoEvidence
	})
	if err != nil {
		LogWhenKnown(ctx, db, log, err, rows, facts...)
		return err
	}
	LogMoved(ctx, log, rows, facts...)
	return nil
}

// errNoEvidence says that nothing shows whether a transaction took effect.
var errNoEvidence = errors.New("no evidence of a transaction")

// Audited is the evidence of a transaction that wrote the only audit entry of its request.
func Audited(tx models.Tx) (found bool, err error) {
	if found, err = models.Audited(tx); err == nil && !found {
		err = errNoEvidence // the entry may still be invisible
	}
	return found, err
}

// entryStands reports whether an entry was booked. A later entry with its id has another time.
// Locks: the user.
func entryStands(tx models.Tx, e models.CreditTransaction) (found bool, err error) {
	if _, err := Lock(tx, e.UserID); err != nil {
		return false, err
	}
	err = tx.Raw(`SELECT EXISTS (SELECT FROM credit_transactions WHERE id = ? AND user_id = ? AND created_at = ?)`,
		e.ID, e.UserID, e.CreatedAt).Scan(&found).Error
	if err != nil {
		return false, fmt.Errorf("look for entry %d: %w", e.ID, err)
	}
	return found, nil
}

// Applied is the evidence of a transaction that applied operations. One of them that wrote something speaks for all. If
// none did, there was nothing to take effect.
// Locks: the user of that operation.
func Applied(ops ...Op) postgres.Evidence {
	return func(tx models.Tx) (bool, error) {
		for _, op := range ops {
			if op.state().done && !op.replayed() {
				return op.stands(tx)
			}
		}
		return true, nil
	}
}

func (op *PostOp) replayed() bool    { return op.Posted.Replayed }
func (op *HoldOp) replayed() bool    { return op.Held.Replayed }
func (op *CaptureOp) replayed() bool { return op.Held.Replayed }
func (op *ReleaseOp) replayed() bool { return op.Held.Replayed }

func (op *PostOp) stands(tx models.Tx) (bool, error) {
	return entryStands(tx, op.Posted.CreditTransaction)
}

// The id of a new hold is random, and nobody else knows it.
func (op *HoldOp) stands(tx models.Tx) (bool, error) {
	return holdStands(tx, op.Held.Hold, `created_at`, op.Held.CreatedAt)
}

func (op *CaptureOp) stands(tx models.Tx) (bool, error) { return ended(tx, op.Held) }
func (op *ReleaseOp) stands(tx models.Tx) (bool, error) { return ended(tx, op.Held) }

func ended(tx models.Tx, h Held) (bool, error) {
	return holdStands(tx, h.Hold, `updated_at`, h.UpdatedAt)
}

// holdStands reports whether a hold has this time in a column: that of its creation or of its end.
// Locks: the user.
func holdStands(tx models.Tx, h models.Hold, column string, at time.Time) (found bool, err error) {
	if _, err := Lock(tx, h.UserID); err != nil {
		return false, err
	}
	err = tx.Raw(`SELECT EXISTS (SELECT FROM holds WHERE id = ? AND `+column+` = ?)`, h.ID, at).Scan(&found).Error
	if err != nil {
		return false, fmt.Errorf("look for hold %s: %w", h.ID, err)
	}
	return found, nil
}
