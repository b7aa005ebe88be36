package purchase

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// age is how a report of a dispute compares with the stored dispute.
type age int

const (
	same age = iota
	older
	newer
	unclear // two events of one second, or an event and an answer of Stripe's API, which has no time of its own
)

// compare tells the age of a report by the seconds of the events.
func (d Dispute) compare(known models.StripeDispute) age {
	switch {
	case sameDispute(known, d):
		return same
	case d.ReportedAt != 0 && d.ReportedAt < known.ToldAt:
		return older
	case d.ReportedAt != 0 && known.ToldAt != 0 && d.ReportedAt > known.ToldAt:
		return newer
	}
	return unclear
}

// storedDispute returns a dispute as stored; nil when there is none.
func storedDispute(db *gorm.DB, id string) (*models.StripeDispute, error) {
	var known models.StripeDispute
	err := db.Where("dispute_id = ?", id).Take(&known).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for dispute %s: %w", id, err)
	}
	return &known, nil
}

// recordDispute stores a dispute unless the stored one is newer. Where that is unclear, current decides: the state that
// Stripe answered for this revision of the stored dispute.
//
// Locks: none; the caller has locked the payment.
// Errors: ReviewError for an unknown status and for what cannot be true; ErrStaleFacts.
func recordDispute(tx models.Tx, d Dispute, current *CurrentDispute) error {
	d.Amount = min(d.Amount, maxCents)
	known, err := storedDispute(tx.DB, d.ID)
	if err != nil {
		return err
	}
	if known != nil {
		if known.PaymentRef != d.PaymentRef {
			return errContradicts
		}
		switch d.compare(*known) {
		case older:
			return nil
		case unclear:
			if current == nil || current.Revision != known.Revision {
				return ErrStaleFacts
			}
			d = current.replace(d)
		}
	}
	if d.Amount <= 0 {
		return errImpossible
	}
	if !slices.Contains(models.DisputeStatuses(), d.Status) {
		return ReviewError(models.CauseDisputeStatus.Of(d.Status))
	}
	// A person's word was about this amount, and about money that came back of a lost dispute: it ends with them.
	err = tx.Exec(`INSERT INTO stripe_disputes AS old (dispute_id, charge_id, payment_ref, amount, currency, status, withdrawn, withdrawn_currency, told_at)
		VALUES (@id, @charge, @payment, @amount, @currency, @status, @withdrawn, @withdrawn_currency, @told)
		ON CONFLICT (dispute_id) DO UPDATE SET status = excluded.status, amount = excluded.amount, currency = excluded.currency,
			withdrawn = excluded.withdrawn, withdrawn_currency = excluded.withdrawn_currency, told_at = excluded.told_at,
			share = CASE WHEN (old.amount, old.currency) = (excluded.amount, excluded.currency) AND (old.status <> 'lost' OR excluded.status = 'lost')
				THEN old.share END,
			revision = old.revision + 1, updated_at = now()
		WHERE old.payment_ref = excluded.payment_ref AND ((old.status, old.amount, old.currency, old.withdrawn, old.withdrawn_currency) <>
			(excluded.status, excluded.amount, excluded.currency, excluded.withdrawn, excluded.withdrawn_currency) OR old.told_at <> 0 AND old.told_at < excluded.told_at)`,
		map[string]any{"id": d.ID, "charge": d.ChargeID, "payment": d.PaymentRef, "amount": d.Amount, "currency": d.Currency, "status": d.Status,
			"withdrawn": max(d.Withdrawn, 0), "withdrawn_currency": d.WithdrawnCurrency, "told": d.ReportedAt}).Error
	if err != nil {
		return fmt.Errorf("record dispute %s: %w", d.ID, err)
	}
	return unlessTaken(tx, d)
}

// unlessTaken reports whether a dispute that was recorded is this payment's: another one's event may have been a moment
// faster. Errors: errContradicts.
func unlessTaken(tx models.Tx, d Dispute) error {
	var known string
	if err := tx.Raw(`SELECT payment_ref FROM stripe_disputes WHERE dispute_id = ?`, d.ID).Scan(&known).Error; err != nil {
		return fmt.Errorf("payment of dispute %s: %w", d.ID, err)
	}
	if known != d.PaymentRef {
		return errContradicts
	}
	return nil
}

// sameDispute reports whether what is said of a dispute is what is known.
func sameDispute(known models.StripeDispute, d Dispute) bool {
	return known.Status == d.Status && int64(known.Amount) == min(d.Amount, maxCents) && known.Currency == d.Currency &&
		int64(known.Withdrawn) == max(d.Withdrawn, 0) && known.WithdrawnCurrency == d.WithdrawnCurrency
}

// HasDisputeShare reports whether a person has said how much a dispute takes.
func HasDisputeShare(tx models.Tx, disputeID string) (bool, error) {
	var shared bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM stripe_disputes WHERE dispute_id = ? AND share IS NOT NULL)`, disputeID).Scan(&shared).Error
	if err != nil {
		return false, fmt.Errorf("share of dispute %s: %w", disputeID, err)
	}
	return shared, nil
}

// unclearDispute hands a dispute to a person that has taken money, nobody knows how much of the payment.
// Errors: ReviewError.
func unclearDispute(tx models.Tx, paymentRef, disputeID string) error {
	var unclear bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM stripe_disputes d JOIN purchases p ON p.payment_intent_id = d.payment_ref
		WHERE d.payment_ref = ? AND d.dispute_id = ? AND d.status IN ('needs_response', 'under_review', 'lost')
			AND `+fmt.Sprintf(models.DisputeTakes, "coalesce(nullif(p.paid_currency, ''), p.currency)")+` IS NULL)`, paymentRef, disputeID).Scan(&unclear).Error
	if err != nil {
		return fmt.Errorf("what dispute %s takes: %w", disputeID, err)
	}
	if unclear {
		return ReviewError(models.CauseDisputeCurrency)
	}
	return nil
}

// SetDisputeShare writes down how much of its payment a dispute takes, because a person says so, and settles it. revision is
// the dispute's when the person looked at it.
//
// Units: cents of the payment's currency. Locks: those of LockForDecision by the caller; locks the user.
// Idempotent: changed is false where it said so already. Errors: ErrNotOurs for a dispute of another payment;
// fault.Conflict when the dispute, or what another person said of it, has changed since.
func SetDisputeShare(tx models.Tx, p *models.Purchase, disputeID string, share models.Cents, revision int) (rows []models.CreditTransaction, changed bool, err error) {
	var known models.StripeDispute
	err = tx.Where("dispute_id = ? AND payment_ref = ?", disputeID, p.PaymentIntentID).Take(&known).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, false, ErrNotOurs
	case err != nil:
		return nil, false, fmt.Errorf("dispute %s of a decision: %w", disputeID, err)
	case known.Share != nil && *known.Share == share:
		return nil, false, nil
	}
	said := tx.Exec(`UPDATE stripe_disputes SET share = ?, revision = revision + 1, updated_at = now() WHERE dispute_id = ? AND revision = ?`,
		share, disputeID, revision)
	switch {
	case said.Error != nil:
		return nil, false, fmt.Errorf("share of dispute %s: %w", disputeID, said.Error)
	case said.RowsAffected == 0:
		return nil, false, errDecided
	}
	rows, err = Settle(tx, p, "")
	return rows, true, err
}

// CloseDisputeShare says that a dispute of which a person should say the share is dealt with without: a form that was rendered
// before is refused.
// Locks: the dispute. Errors: fault.Conflict when somebody has said it.
func CloseDisputeShare(tx models.Tx, disputeID string) error {
	closed := tx.Exec(`UPDATE stripe_disputes SET revision = revision + 1 WHERE dispute_id = ? AND share IS NULL`, disputeID)
	if closed.Error != nil {
		return fmt.Errorf("close dispute %s: %w", disputeID, closed.Error)
	}
	if closed.RowsAffected > 0 {
		return nil
	}
	shared, err := HasDisputeShare(tx, disputeID)
	if err == nil && shared {
		err = errDecided
	}
	return err
}

// CurrentDispute is a dispute as Stripe answered when this revision of it was stored.
type CurrentDispute struct {
	Revision int
	Dispute  *Dispute // nil where Stripe does not know it: then the last event counts
}

// replace returns d in the state that Stripe answered.
func (c CurrentDispute) replace(d Dispute) Dispute {
	if c.Dispute == nil {
		return d
	}
	d.Status, d.Amount, d.Currency = c.Dispute.Status, min(c.Dispute.Amount, maxCents), c.Dispute.Currency
	d.Withdrawn, d.WithdrawnCurrency, d.ReportedAt = c.Dispute.Withdrawn, c.Dispute.WithdrawnCurrency, 0
	return d
}

// fetchDispute asks Stripe how a dispute stands.
//
// Errors: fault.Unavailable when Stripe does not answer. Source: https://docs.stripe.com/api/disputes/retrieve
func (s *Service) fetchDispute(ctx context.Context, id string) (*Dispute, error) {
	params := &stripe.DisputeParams{}
	params.Context = ctx
	found, err := s.Stripe.Disputes.Get(id, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return nil, nil
	case err != nil:
		return nil, stripeapi.Fault(err)
	}
	d := DisputeOf(found)
	return &d, nil
}

// DisputeOf reads a dispute that the API answered.
func DisputeOf(d *stripe.Dispute) Dispute {
	dispute := Dispute{ID: d.ID, Currency: string(d.Currency), Status: string(d.Status), Amount: d.Amount}
	if d.Charge != nil {
		dispute.ChargeID = d.Charge.ID
	}
	if d.PaymentIntent != nil {
		dispute.PaymentRef = d.PaymentIntent.ID
	}
	for _, moved := range d.BalanceTransactions {
		dispute.AddMovement(moved.Amount, string(moved.Currency))
	}
	return dispute
}

// AddMovement counts one movement of the account's balance for the dispute: negative for what the bank took.
func (d *Dispute) AddMovement(amount int64, currency string) {
	if amount < -maxCents || amount > maxCents { // counts as unknown
		amount = 0
	}
	d.Withdrawn, d.WithdrawnCurrency = d.Withdrawn-amount, currency
	if d.Withdrawn == 0 { // what was taken is back
		d.WithdrawnCurrency = ""
	}
}
