package purchase

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
)

// openReview leaves a paid session that cannot be booked to a person: as its purchase p or, when it has none, as a purchase
// of its own. So its payment is known, and later refunds and disputes find it.
//
// Locks: the payment, the session, then the user.
// Errors: the contradiction, unless all of the money has gone back already; ErrStaleFacts.
func (s *Service) openReview(tx models.Tx, c Checkout, p *models.Purchase, sold *Sold, contradiction ReviewError) error {
	if !c.paid() {
		return contradiction
	}
	if p == nil {
		made, err := s.insertReview(tx, c, sold, models.Cause(contradiction))
		if err != nil {
			return err
		}
		p = made
	}
	if _, err := Settle(tx, p, ""); err != nil {
		return err
	}
	if p.Status != models.PurchaseReview { // decided, or returned
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
	if said, says := catalog.ParseCredits(c.Credits); credits == 0 && says && cause != models.CauseSessionCredits {
		credits = said
	}
	if credits > MaxQuantity*catalog.MaxCredits {
		credits = 0 // nobody knows: a person says it
	}
	if err := errors.Join(lockPayment(tx, c.PaymentIntent), lockPayment(tx, c.ID)); err != nil {
		return nil, err
	}
	var known models.Purchase
	err := tx.Raw(`SELECT * FROM purchases WHERE checkout_session_id = ? FOR UPDATE`, c.ID).Take(&known).Error
	if err == nil || !errors.Is(err, gorm.ErrRecordNotFound) { // by the session's other event, a moment ago
		return &known, err
	}
	owner, err := c.reviewOwner(tx)
	if err != nil {
		return nil, err
	}
	return s.insertAdopted(tx, c, owner, credits, cause)
}

// reviewOwner is the user whom a session's credits may be for; where it names nobody, an account of nobody, until a
// person says whose it is.
func (c Checkout) reviewOwner(tx models.Tx) (int64, error) {
	user, err := c.owner(tx)
	if errors.As(err, new(ReviewError)) {
		err = tx.Raw(`INSERT INTO users DEFAULT VALUES RETURNING id`).Scan(&user.ID).Error
	}
	if err != nil {
		return 0, fmt.Errorf("owner of session %s: %w", c.ID, err)
	}
	return user.ID, nil
}

// LockForDecision locks a purchase about which a person decides.
// Locks: the payment, then the purchase. Errors: fault.NotFound.
func LockForDecision(tx models.Tx, id uuid.UUID) (*models.Purchase, error) {
	read := func(suffix string) (*models.Purchase, error) {
		var p models.Purchase
		err := tx.Raw(`SELECT * FROM purchases WHERE id = ?`+suffix, id).Take(&p).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, fault.New(fault.NotFound, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("purchase %s of a decision: %w", id, err)
		}
		return &p, nil
	}
	p, err := read("")
	if err != nil {
		return nil, err
	}
	if p.PaymentIntentID != "" { // which a purchase that was paid keeps
		if err := lockPayment(tx, p.PaymentIntentID); err != nil {
			return nil, err
		}
	}
	return read(" FOR UPDATE")
}

// errDecided says that somebody else has decided meanwhile, and otherwise.
var errDecided = fault.Because(fault.Conflict, fault.DecidedOtherwise)

// BookOrdered grants what was ordered for a purchase that waits for a person, because the person says so, less what of
// its money has gone back. Where nobody knows what was ordered, credits are what the person says.
//
// Units: credits. Locks: those of LockForDecision by the caller; locks the user. Idempotent: a purchase that is booked
// stays as it is, and no lines are returned. Errors: fault.Invalid for credits out of range; fault.Conflict when somebody
// decided otherwise, or nothing was paid.
func (s *Service) BookOrdered(tx models.Tx, p *models.Purchase, credits models.Credits) ([]models.CreditTransaction, error) {
	switch {
	case p.Status == models.PurchasePaid:
		return nil, nil
	case p.Status == models.PurchaseReturned:
		return nil, errDecided
	case p.Status != models.PurchaseReview && p.Status != models.PurchaseForeign:
		return nil, fault.Because(fault.Conflict, fault.NothingPaid)
	}
	if err := notGoingBack(tx, p); err != nil {
		return nil, err
	}
	if !p.OrderKnown() {
		if credits < 1 || credits > MaxQuantity*catalog.MaxCredits {
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

// SetForeign closes a purchase that waits for a person, because the person says that the payment is not ours.
//
// Locks: those of LockForDecision by the caller. Idempotent: changed is false where it was closed so already.
// Errors: fault.Conflict when somebody decided otherwise.
func SetForeign(tx models.Tx, p *models.Purchase) (changed bool, err error) {
	switch p.Status {
	case models.PurchaseForeign:
		return false, nil
	case models.PurchaseReview:
		if err := notGoingBack(tx, p); err != nil {
			return false, err
		}
		p.Status = models.PurchaseForeign
		return true, save(tx, p)
	}
	return false, errDecided
}

// notGoingBack reports whether an admin has decided to give money of a purchase back that waits for a person. Stripe has
// not answered yet, and booking the purchase meanwhile would let the buyer spend what is about to be taken.
// Errors: fault.Conflict.
func notGoingBack(tx models.Tx, p *models.Purchase) error {
	var sent bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM refund_requests WHERE purchase_id = ? AND status = 'pending')`, p.ID).Scan(&sent).Error
	if err != nil {
		return fmt.Errorf("pending refunds of purchase %s: %w", p.ID, err)
	}
	if sent {
		return errDecided
	}
	return nil
}
