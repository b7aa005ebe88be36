package purchase

import (
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// age compares a report of a dispute with the stored dispute.
type age int

const (
	same age = iota
	older
	newer
	unclear // two events of one second, or an event and an answer of the API, which has no time
)

// compare returns the age of a report, by the seconds in which the events were created.
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

// storedDispute returns the stored dispute, or nil.
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

// recordDispute stores a dispute unless the stored one is newer. Where their age is unclear, current replaces both.
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
	// A person decided the share for this amount, or for money that came back of a lost dispute. It ends when either
	// changes.
	err = tx.Exec(
		`INSERT INTO stripe_disputes AS old (dispute_id, charge_id, payment_ref, amount, currency, status, withdrawn, withdrawn_currency, told_at, due_by)
		VALUES (@id, @charge, @payment, @amount, @currency, @status, @withdrawn, @withdrawn_currency, @reported, to_timestamp(nullif(CAST(@due AS float8), 0)))
		ON CONFLICT (dispute_id) DO UPDATE SET status = excluded.status, amount = excluded.amount, currency = excluded.currency,
			withdrawn = excluded.withdrawn, withdrawn_currency = excluded.withdrawn_currency, told_at = excluded.told_at,
			share = CASE WHEN (old.amount, old.currency) = (excluded.amount, excluded.currency) AND (old.status <> 'lost' OR excluded.status = 'lost')
				THEN old.share END,
			revision = old.revision + 1, updated_at = now()
		WHERE old.payment_ref = excluded.payment_ref AND ((old.status, old.amount, old.currency, old.withdrawn, old.withdrawn_currency) <>
			(excluded.status, excluded.amount, excluded.currency, excluded.withdrawn, excluded.withdrawn_currency) OR old.told_at <> 0 AND old.told_at < excluded.told_at)`,
		map[string]any{"id": d.ID, "charge": d.ChargeID, "payment": d.PaymentRef, "amount": d.Amount, "currency": d.Currency,
			"status":    d.Status,
			"withdrawn": max(d.Withdrawn, 0), "withdrawn_currency": d.WithdrawnCurrency, "reported": d.ReportedAt, "due": d.DueBy}).Error
	if err != nil {
		return fmt.Errorf("record dispute %s: %w", d.ID, err)
	}
	return checkDisputePayment(tx, d)
}

// checkDisputePayment verifies that a recorded dispute is of this payment: an event of another payment may have
// recorded it first.
//
// Errors: errContradicts.
func checkDisputePayment(tx models.Tx, d Dispute) error {
	var known string
	if err := tx.Raw(`SELECT payment_ref FROM stripe_disputes WHERE dispute_id = ?`, d.ID).Scan(&known).Error; err != nil {
		return fmt.Errorf("payment of dispute %s: %w", d.ID, err)
	}
	if known != d.PaymentRef {
		return errContradicts
	}
	return nil
}

// sameDispute reports whether a report says what is stored.
func sameDispute(known models.StripeDispute, d Dispute) bool {
	return known.Status == d.Status && int64(known.Amount) == min(d.Amount, maxCents) && known.Currency == d.Currency &&
		int64(known.Withdrawn) == max(d.Withdrawn, 0) && known.WithdrawnCurrency == d.WithdrawnCurrency
}

// CurrentDispute is Stripe's answer about a dispute, asked when this revision of the dispute was stored.
type CurrentDispute struct {
	Revision int
	Dispute  *Dispute // nil where Stripe does not know the dispute: then the last event counts
}

// replace returns d with the state that Stripe answered.
func (c CurrentDispute) replace(d Dispute) Dispute {
	if c.Dispute == nil {
		return d
	}
	d.Status, d.Amount, d.Currency = c.Dispute.Status, min(c.Dispute.Amount, maxCents), c.Dispute.Currency
	d.Withdrawn, d.WithdrawnCurrency, d.ReportedAt = c.Dispute.Withdrawn, c.Dispute.WithdrawnCurrency, 0
	return d
}
