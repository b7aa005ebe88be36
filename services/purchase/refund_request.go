package purchase

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// RefundOrder asks for a refund of a purchase.
type RefundOrder struct {
	PurchaseID uuid.UUID
	ActorID    int64        // the admin; 0 for an operator on the command line
	Cents      models.Cents // from 1 to what is left of the payment, in its currency
	Seen       models.Cents // refunded or pending when the form was rendered, so that two admins cannot both refund
	Waiting    bool         // the purchase was in review when the form was rendered
	Note       string
	Key        string     // idempotency key of the form
	Hold       *uuid.UUID // reserves the credits of a buyer who asks for goodwill; nil for all others
}

// RequestRefund stores the request for a refund. SendRefund then makes the refund or, if the process dies first, the
// worker.
//
// Locks: the purchase, then the admin and the user by ascending id.
// Idempotent: by purchase and key; replayed says that the key was used before.
// Errors: fault.NotFound; fault.Invalid for an amount that is not left; fault.Conflict when something was refunded or
// decided since the form was rendered, when the key was used for something else, or when nothing was paid.
func RequestRefund(tx models.Tx, o RefundOrder, now time.Time,
) (request models.RefundRequest, p models.Purchase, replayed bool, err error) {
	if err := ledger.CheckKey(o.Key); err != nil {
		return request, p, false, err
	}
	err = tx.Raw(`SELECT * FROM purchases WHERE id = ? FOR UPDATE`, o.PurchaseID).Take(&p).Error
	if err != nil {
		return request, p, false, postgres.Found(err, "lock purchase %s", o.PurchaseID)
	}
	earlier, err := requestByKey(tx, o.PurchaseID, o.Key)
	switch {
	case err != nil:
		return request, p, false, err
	case earlier != nil && (earlier.AmountCents != o.Cents || earlier.Note != o.Note):
		return *earlier, p, false, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	case earlier != nil:
		return *earlier, p, true, nil
	}
	back, err := returnedWithPending(tx.DB, p)
	if err != nil {
		return request, p, false, err
	}
	refunded := models.Cents(back.RefundsGood)
	switch {
	case p.PaidAt == nil || p.PaymentIntentID == "":
		return request, p, false, fault.Because(fault.Conflict, fault.NothingPaid)
	case o.Waiting && p.Status != models.PurchaseReview && p.Status != models.PurchaseReturned:
		return request, p, false, errDecided
	case refunded != o.Seen:
		return request, p, false, fault.Because(fault.Conflict, fault.RefundedSince)
	case o.Cents < 1 || o.Cents > p.PaidCents-refunded:
		return request, p, false, fault.Field("amount", fault.RefundRange)
	}
	if err := lockUserKeys(tx, o.ActorID, p.UserID); err != nil {
		return request, p, false, err
	}
	request = models.RefundRequest{
		ID: uuid.New(), PurchaseID: p.ID, IdempotencyKey: o.Key, AmountCents: o.Cents, Note: o.Note,
		Goodwill: o.Hold != nil, HoldID: o.Hold,
		Status: models.RefundPending, NextAttemptAt: now.Add(refundPause), CreatedAt: now, UpdatedAt: now,
	}
	if o.ActorID != 0 {
		request.ActorID = &o.ActorID
	}
	if err := tx.Omit("refund_id").Create(&request).Error; err != nil {
		return request, p, false, fmt.Errorf("store refund request: %w", err)
	}
	return request, p, false, nil
}

// requestByKey returns the refund request that a key made before, or nil.
func requestByKey(tx models.Tx, purchaseID uuid.UUID, key string) (*models.RefundRequest, error) {
	var rows []models.RefundRequest
	err := tx.Where("purchase_id = ? AND idempotency_key = ?", purchaseID, key).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look up refund request: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// lockUserKeys locks the keys of the users that the request and its audit entry refer to, by ascending id. Otherwise
// the foreign keys would lock the admin before the user, whatever their ids.
func lockUserKeys(tx models.Tx, ids ...int64) error {
	if err := tx.Exec(`SELECT 1 FROM users WHERE id IN ? ORDER BY id FOR KEY SHARE`, ids).Error; err != nil {
		return fmt.Errorf("lock the keys of users %v: %w", ids, err)
	}
	return nil
}

// returnedWithPending returns how much of a payment went back, including the refund requests that Stripe has not
// answered. RefundsGood of the result holds all refunds.
func returnedWithPending(db *gorm.DB, p models.Purchase) (money, error) {
	back, err := moneyBack(db, p)
	if err != nil {
		return back, err
	}
	var pending models.Cents
	err = db.Raw(
		`SELECT coalesce(sum(amount_cents), 0) FROM refund_requests r WHERE purchase_id = ? AND status = 'pending'`,
		p.ID).Scan(&pending).Error
	if err != nil {
		return back, fmt.Errorf("pending refunds of purchase %s: %w", p.ID, err)
	}
	return back.withPending(pending), nil
}

// withPending returns m with the refunds that Stripe has not answered. RefundsGood of the result holds all refunds.
func (m money) withPending(pending models.Cents) money {
	return money{RefundsGood: m.refunded() + int64(pending), Disputed: m.Disputed, Unclear: m.Unclear}
}

func saveRequest(db *gorm.DB, r models.RefundRequest) error {
	err := db.Exec(
		`UPDATE refund_requests SET status = ?, refund_id = NULLIF(?, ''), last_error = ?, key_number = greatest(key_number, ?), updated_at = now()
		WHERE id = ? AND status = 'pending'`, r.Status, r.RefundID, r.LastError, r.KeyNumber, r.ID).Error
	if err != nil {
		return fmt.Errorf("save refund request %s: %w", r.ID, err)
	}
	return nil
}
