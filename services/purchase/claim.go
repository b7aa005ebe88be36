package purchase

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// Claimed is the result of Claim.
type Claimed struct {
	Purchases int
	Credits   models.Credits // the balance that moved; negative for a debt
	Rows      []models.CreditTransaction
}

// ErrNotClaimed says that an account cannot be claimed now: it has an identity or work in progress, or a payment is
// being booked to it. The next sign-in tries again.
var ErrNotClaimed = errors.New("the account cannot be claimed now")

// Claim moves everything of a guest account, which a payment created for an address, to a user whose provider has
// verified that address. Each purchase moves with the credits that are left of it, so that later refunds find the user;
// one more pair of entries moves the rest of the balance. The empty account stays, without an address, for repeated
// requests of services.
//
// Locks: the payments, the purchases, both users by ascending id, then the holds; the caller has called
// user.LockAddress.
// Idempotent: an account that was claimed before has nothing left to move. Errors: ErrNotClaimed.
func Claim(tx models.Tx, guestID, userID int64, email string) (Claimed, error) {
	purchases, err := lockAllOf(tx, guestID)
	if err != nil {
		return Claimed{}, err
	}
	users, err := lockUsers(tx, guestID, userID)
	if err != nil {
		return Claimed{}, err
	}
	held, err := endPeriodHolds(tx, purchases)
	if err != nil {
		return Claimed{}, err
	}
	user := users[userID]
	guest, err := ledger.Lock(tx, guestID)
	if err != nil {
		return Claimed{}, err
	}
	if guest.Email != email || email == "" || guest.CreditsHeld != 0 || user.ID == 0 || user.DeletedAt != nil {
		return Claimed{}, ErrNotClaimed
	}
	if err := checkUnclaimed(tx, guestID, len(purchases)); err != nil {
		return Claimed{}, err
	}
	c := Claimed{Purchases: len(purchases), Credits: guest.CreditsBalance}
	rest := guest.CreditsBalance
	ids := make([]uuid.UUID, 0, len(purchases))
	for _, p := range purchases {
		ids = append(ids, p.ID)
		left := p.CreditsLeft()
		rest -= left
		meta := metaOf(p)
		meta.Actor = "system"
		rows, err := ledger.Transfer(tx, guestID, userID, left, meta)
		if err != nil {
			return Claimed{}, err
		}
		c.Rows = append(c.Rows, rows...)
	}
	rows, err := ledger.Transfer(tx, guestID, userID, rest, models.Meta{Actor: "system"})
	if err != nil {
		return Claimed{}, err
	}
	c.Rows = append(c.Rows, rows...)
	if len(ids) > 0 {
		if err := reassign(tx, userID, ids...); err != nil {
			return Claimed{}, err
		}
	}
	for i, p := range purchases {
		p.UserID = userID
		if err := HoldPeriod(tx, p, held[i]); err != nil {
			return Claimed{}, err
		}
	}
	return c, closeGuest(tx, guestID, userID, c)
}

// lockAllOf locks the purchases of a user, after their payments in order.
//
// Errors: ErrNotClaimed when one of them was paid in the meantime.
func lockAllOf(tx models.Tx, userID int64) ([]models.Purchase, error) {
	var payments []string
	err := tx.Raw(`SELECT payment_intent_id FROM purchases WHERE user_id = ? AND payment_intent_id IS NOT NULL ORDER BY 1`,
		userID).Scan(&payments).Error
	if err != nil {
		return nil, fmt.Errorf("payments of user %d: %w", userID, err)
	}
	for _, ref := range payments {
		if err := lockPayment(tx, ref); err != nil {
			return nil, err
		}
	}
	var purchases []models.Purchase
	if err := tx.Raw(`SELECT * FROM purchases WHERE user_id = ? ORDER BY id FOR UPDATE`, userID).Find(&purchases).
		Error; err != nil {
		return nil, fmt.Errorf("lock the purchases of user %d: %w", userID, err)
	}
	for _, p := range purchases {
		if p.PaymentIntentID != "" && !slices.Contains(payments, p.PaymentIntentID) {
			return nil, ErrNotClaimed
		}
	}
	return purchases, nil
}

// checkUnclaimed verifies, under the guest's lock, that the guest has no identity and no further purchase.
//
// Errors: ErrNotClaimed.
func checkUnclaimed(tx models.Tx, guestID int64, purchases int) error {
	var found struct {
		SignedIn  bool
		Purchases int
	}
	err := tx.Raw(`SELECT EXISTS (SELECT FROM identities WHERE user_id = @id) AS signed_in,
		(SELECT count(*) FROM purchases WHERE user_id = @id) AS purchases`, map[string]any{"id": guestID}).Scan(&found).Error
	switch {
	case err != nil:
		return fmt.Errorf("read guest account %d: %w", guestID, err)
	case found.SignedIn || found.Purchases != purchases:
		return ErrNotClaimed
	}
	return nil
}

// closeGuest points everything that leads to a claimed account at its claimant, and records the claim in the audit log.
func closeGuest(tx models.Tx, guestID, userID int64, c Claimed) error {
	for _, step := range []struct {
		statement string
		args      []any
	}{
		{`UPDATE users SET email = NULL, stripe_customer_id = NULL, merged_into = ?, updated_at = now() WHERE id = ?`,
			[]any{userID, guestID}},
		{`UPDATE users SET merged_into = ? WHERE merged_into = ?`, []any{userID, guestID}},
		{`UPDATE stripe_customers SET user_id = ? WHERE user_id = ?`, []any{userID, guestID}},
		{`UPDATE withdrawals SET user_id = ? WHERE user_id = ?`, []any{userID, guestID}},
		{`UPDATE letters SET user_id = ? WHERE user_id = ?`, []any{userID, guestID}},
	} {
		if err := tx.Exec(step.statement, step.args...).Error; err != nil {
			return fmt.Errorf("close guest account %d for user %d: %w", guestID, userID, err)
		}
	}
	return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionAccountClaim, UserID: userID,
		Detail: map[string]any{"from": guestID, "purchases": c.Purchases, "credits": c.Credits}})
}
