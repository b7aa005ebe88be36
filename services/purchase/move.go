package purchase

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// MoveOrder asks to move a purchase to another user.
type MoveOrder struct {
	PurchaseID uuid.UUID
	From       int64 // the owner when the form was rendered
	To         int64
	ActorID    int64 // the admin
	Note       string
}

// Moved is a purchase after Move, with the credits that moved along.
type Moved struct {
	models.Purchase
	From    models.User
	Credits models.Credits
	Rows    []models.CreditTransaction
	Already bool // an earlier request moved it; nothing has changed now
}

// Movable returns how many credits move with a purchase: what is left of those granted. A user who has spent them gets
// a negative balance, as after a refund.
//
// Errors: fault.Conflict with fault.MoveUnpaid or fault.MoveLapsed; fault.Invalid about "to".
func Movable(p models.Purchase, from, to models.User) (models.Credits, error) {
	left := p.CreditsLeft()
	switch {
	case p.Status != models.PurchasePaid || p.CreditsGranted == 0:
		return 0, fault.Because(fault.Conflict, fault.MoveUnpaid)
	case to.ID == 0 || to.DeletedAt != nil || to.MergedInto != nil:
		return 0, fault.Field("to", fault.MoveTarget)
	case to.ID == from.ID:
		return 0, fault.Field("to", fault.MoveSame)
	case from.DeletedAt != nil && from.CreditsBalance < left: // the credits lapsed with the account
		return 0, fault.Because(fault.Conflict, fault.MoveLapsed)
	}
	return left, nil
}

// Move moves a purchase to another user. It transfers the credits that are left, and later refunds and disputes find
// the new owner.
//
// Locks: the payment, the purchase, then the admin and both users by ascending id.
// Idempotent: a purchase that has moved from From to To already stays as it is.
// Errors: those of Movable; fault.NotFound; fault.Conflict with fault.MovedSince when a third user owns it, or
// while a refund that the owner asked for is on its way.
func Move(tx models.Tx, o MoveOrder) (Moved, error) {
	p, err := lockPaid(tx, o.PurchaseID)
	if err != nil {
		return Moved{}, err
	}
	switch {
	case p.UserID == o.To && o.From != o.To:
		return Moved{Purchase: p, Already: true}, nil
	case p.UserID != o.From:
		return Moved{}, fault.Because(fault.Conflict, fault.MovedSince)
	}
	users, err := lockUsers(tx, o.From, o.To, o.ActorID)
	if err != nil {
		return Moved{}, err
	}
	m := Moved{Purchase: p, From: users[o.From]}
	if m.Credits, err = Movable(p, m.From, users[o.To]); err != nil {
		return Moved{}, err
	}
	if err := checkNoGoodwill(tx, p); err != nil {
		return Moved{}, err
	}
	if err := ReleaseWithdrawn(tx, p); err != nil { // the new owner's credits are held below
		return Moved{}, err
	}
	held, err := endPeriodHold(tx, p)
	if err != nil {
		return Moved{}, err
	}
	if m.From.DeletedAt != nil { // a deleted account has no holds
		held = m.Credits
	}
	meta := metaOf(p)
	meta.Actor, meta.Note = fmt.Sprintf("user:%d", o.ActorID), o.Note
	if m.Rows, err = ledger.Transfer(tx, o.From, o.To, m.Credits, meta); err != nil {
		return Moved{}, err
	}
	m.UserID = o.To
	if err := reassign(tx, o.To, p.ID); err != nil {
		return Moved{}, err
	}
	if err := HoldPeriod(tx, m.Purchase, held); err != nil {
		return Moved{}, err
	}
	return m, HoldWithdrawn(tx, m.Purchase)
}

// checkNoGoodwill verifies that no refund holds credits of the purchase's owner.
//
// Errors: fault.Conflict.
func checkNoGoodwill(tx models.Tx, p models.Purchase) error {
	var pending bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM refund_requests WHERE purchase_id = ? AND status = 'pending' AND goodwill)`,
		p.ID).Scan(&pending).Error
	switch {
	case err != nil:
		return fmt.Errorf("refund of purchase %s: %w", p.ID, err)
	case pending:
		return errDecided
	}
	return nil
}

// reassign makes a user the owner of purchases and of their withdrawals. It replaces the idempotency keys, which belong
// to the former owner's forms.
func reassign(tx models.Tx, to int64, purchases ...uuid.UUID) error {
	err := tx.Exec(`UPDATE purchases SET user_id = ?, idempotency_key = 'moved:' || id, updated_at = now() WHERE id IN ?`,
		to, purchases).Error
	if err == nil {
		err = tx.Exec(`UPDATE withdrawals SET user_id = ? WHERE purchase_id IN ?`, to, purchases).Error
	}
	if err != nil {
		return fmt.Errorf("reassign %d purchases to user %d: %w", len(purchases), to, err)
	}
	return nil
}

// lockPaid locks a purchase after its payment. It refuses a purchase that is paid in the meantime as unpaid.
//
// Errors: fault.NotFound; fault.Conflict with fault.MoveUnpaid.
func lockPaid(tx models.Tx, id uuid.UUID) (models.Purchase, error) {
	var ref string
	if err := tx.Raw(`SELECT coalesce(payment_intent_id, '') FROM purchases WHERE id = ?`, id).Scan(&ref).
		Error; err != nil {
		return models.Purchase{}, fmt.Errorf("payment of purchase %s: %w", id, err)
	}
	if err := lockPayment(tx, ref); err != nil {
		return models.Purchase{}, err
	}
	var p models.Purchase
	err := tx.Raw(`SELECT * FROM purchases WHERE id = ? FOR UPDATE`, id).Take(&p).Error
	if err == nil && p.PaymentIntentID != ref {
		return p, fault.Because(fault.Conflict, fault.MoveUnpaid)
	}
	return p, postgres.Found(err, "lock purchase %s", id)
}

// lockUsers locks users by ascending id and returns those that exist.
func lockUsers(tx models.Tx, ids ...int64) (map[int64]models.User, error) {
	slices.Sort(ids)
	var rows []models.User
	if err := tx.Raw(`SELECT * FROM users WHERE id IN ? ORDER BY id FOR UPDATE`, slices.Compact(ids)).Find(&rows).
		Error; err != nil {
		return nil, fmt.Errorf("lock users %v: %w", ids, err)
	}
	users := map[int64]models.User{}
	for _, u := range rows {
		users[u.ID] = u
	}
	return users, nil
}
