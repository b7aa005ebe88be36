package purchase

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
)

// openReview leaves a paid session that cannot be booked to a person: as its purchase p or, when it has none, as a
// purchase of its own. So its payment is known, and later refunds and disputes find it.
//
// Locks: the payment, the session, then the user.
// Errors: the contradiction, unless all of the money has gone back already; ErrStaleFacts.
func (s *Service) openReview(tx models.Tx, c Checkout, p *models.Purchase, sold *Sold,
	contradiction ReviewError,
) error {
	if !c.paid() {
		return contradiction
	}
	if p == nil {
		inserted, err := s.insertReview(tx, c, sold, models.Cause(contradiction))
		if err != nil {
			return err
		}
		p = inserted
	}
	if _, err := Settle(tx, p, ""); err != nil {
		return err
	}
	if p.Status != models.PurchaseReview { // decided or returned
		return nil
	}
	return contradiction
}

// insertReview makes a purchase of a paid session that none of ours can be settled with. It grants nothing.
func (s *Service) insertReview(tx models.Tx, c Checkout, sold *Sold, cause models.Cause) (*models.Purchase, error) {
	if sold == nil {
		return nil, ErrStaleFacts
	}
	credits := sold.Credits
	if stated, ok := catalog.ParseCredits(c.Credits); credits == 0 && ok && cause != models.CauseSessionCredits {
		credits = stated
	}
	if credits > catalog.MaxQuantity*catalog.MaxCredits {
		credits = 0 // unknown: a person states them
	}
	if err := errors.Join(lockPayment(tx, c.PaymentIntent), lockPayment(tx, c.ID)); err != nil {
		return nil, err
	}
	var known models.Purchase
	err := tx.Raw(`SELECT * FROM purchases WHERE checkout_session_id = ? FOR UPDATE`, c.ID).Take(&known).Error
	if err == nil || !errors.Is(err, gorm.ErrRecordNotFound) { // another event of the session has just inserted it
		return &known, err
	}
	owner, err := c.reviewOwner(tx)
	if err != nil {
		return nil, err
	}
	return s.insertAdopted(tx, c, owner, credits, cause)
}

// reviewOwner returns the user whom a session's credits may belong to. For a session without a buyer it creates an
// empty account, until a person moves the purchase.
func (c Checkout) reviewOwner(tx models.Tx) (int64, error) {
	user, _, err := c.owner(tx)
	if errors.As(err, new(ReviewError)) {
		err = tx.Raw(`INSERT INTO users DEFAULT VALUES RETURNING id`).Scan(&user.ID).Error
	}
	if err != nil {
		return 0, fmt.Errorf("owner of session %s: %w", c.ID, err)
	}
	return user.ID, nil
}

// LockForDecision locks a purchase that a person decides about.
//
// Locks: the payment, then the purchase. Errors: fault.NotFound.
func LockForDecision(tx models.Tx, id uuid.UUID) (*models.Purchase, error) {
	read := func(suffix string) (*models.Purchase, error) {
		var p models.Purchase
		err := tx.Raw(`SELECT * FROM purchases WHERE id = ?`+suffix, id).Take(&p).Error
		return &p, postgres.Found(err, "purchase %s of a decision", id)
	}
	p, err := read("")
	if err != nil {
		return nil, err
	}
	if p.PaymentIntentID != "" { // a paid purchase keeps its payment, so the second read cannot find another
		if err := lockPayment(tx, p.PaymentIntentID); err != nil {
			return nil, err
		}
	}
	return read(" FOR UPDATE")
}

// errDecided says that another person has decided otherwise in the meantime.
var errDecided = fault.Because(fault.Conflict, fault.DecidedOtherwise)

// BookOrdered carries out a person's decision to grant the credits of a purchase in review, less what of its money has
// gone back. Where the order is unknown, the person states the credits.
//
// Locks: the user; the caller has called LockForDecision. Idempotent: a booked purchase stays as it is, without new
// entries.
// Errors: fault.Invalid for credits out of range; fault.Conflict when another decision stands, or nothing was paid.
func (s *Service) BookOrdered(tx models.Tx, p *models.Purchase, credits models.Credits,
) ([]models.CreditTransaction, error) {
	switch {
	case p.Status == models.PurchasePaid:
		return nil, nil
	case p.Status == models.PurchaseReturned:
		return nil, errDecided
	case p.Status != models.PurchaseReview && p.Status != models.PurchaseForeign:
		return nil, fault.Because(fault.Conflict, fault.NothingPaid)
	}
	if err := checkNoPendingRefund(tx, p); err != nil {
		return nil, err
	}
	if !p.OrderKnown() {
		if credits < 1 || credits > catalog.MaxQuantity*catalog.MaxCredits {
			return nil, fault.Field("credits", fault.CreditsRange)
		}
		p.Credits = credits
	}
	p.Status = models.PurchasePaid
	if p.PaidAt == nil {
		now := s.Now()
		p.PaidAt = &now
	}
	rows, err := Settle(tx, p, "")
	if err != nil {
		return nil, err
	}
	return rows, eraseAgain(tx, p.UserID)
}

// SetForeign carries out a person's decision that the payment of a purchase in review is another product's.
//
// Locks: none; the caller has called LockForDecision. Idempotent: changed is false where it is foreign already.
// Errors: fault.Conflict when another decision stands.
func SetForeign(tx models.Tx, p *models.Purchase) (changed bool, err error) {
	switch p.Status {
	case models.PurchaseForeign:
		return false, nil
	case models.PurchaseReview:
		if err := checkNoPendingRefund(tx, p); err != nil {
			return false, err
		}
		p.Status = models.PurchaseForeign
		return true, save(tx, p)
	}
	return false, errDecided
}

// checkNoPendingRefund verifies that no admin has requested a refund that Stripe has not answered: the buyer could
// otherwise spend credits that are about to be taken.
//
// Errors: fault.Conflict.
func checkNoPendingRefund(tx models.Tx, p *models.Purchase) error {
	var pending bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM refund_requests WHERE purchase_id = ? AND status = 'pending')`, p.ID).
		Scan(&pending).Error
	if err != nil {
		return fmt.Errorf("pending refunds of purchase %s: %w", p.ID, err)
	}
	if pending {
		return errDecided
	}
	return nil
}
