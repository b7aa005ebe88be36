package purchase

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// needs names the facts that booking a report takes. The zero value needs none.
type needs struct {
	session  string // its line items
	charge   string // its payment
	payment  string // the product that it paid for
	dispute  string // its current state
	revision int    // of the dispute as stored
}

// StripeFacts holds Stripe's answers about a report. Answers that have a table, the payment of a charge and the
// payments of other products, are stored when they are fetched and read from there.
type StripeFacts struct {
	Sold    *Sold           // what the session sold
	Dispute *CurrentDispute // the dispute as Stripe has it now
}

// ErrStaleFacts says that our rows have changed since the facts were fetched, and that booking now needs others.
var ErrStaleFacts = errors.New("our rows changed after Stripe was asked")

// maxRounds bounds how often one booking fetches its facts. Each round after the first follows a change by another
// booking.
const maxRounds = 5

// NeedsStripe reports whether r cannot be booked without facts that only Stripe has. It reads our rows and does not ask
// Stripe. A Checkout is first booked without them: nearly all need none, and the others return ErrStaleFacts.
func (s *Service) NeedsStripe(ctx context.Context, r Report) (bool, error) {
	if _, tries := r.(Checkout); tries {
		return false, nil
	}
	n, err := r.needs(s.DB.WithContext(ctx), false)
	return n != needs{}, err
}

// WithFacts fetches the facts that booking r needs, and then runs fn, which returns the entries that it books, in one
// transaction. It logs the entries with these attributes, as ledger.Book does. It starts again when fn returns
// ErrStaleFacts. A nil r needs no facts.
//
// Locks: none across the network.
// Errors: those of fn, where a ReviewError commits what fn has recorded; fault.Unavailable when Stripe does not answer;
// postgres.UnknownError.
func (s *Service) WithFacts(ctx context.Context, r Report, waited bool,
	fn func(tx models.Tx, facts StripeFacts) ([]models.CreditTransaction, error), attributes ...any,
) error {
	for round := 1; ; round++ {
		facts, err := s.fetchFacts(ctx, r, waited)
		if err != nil {
			return err
		}
		var review error
		err = ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) ([]models.CreditTransaction, error) {
			rows, err := fn(tx, facts)
			if review = nil; errors.As(err, new(ReviewError)) {
				review, err = err, nil
			}
			return rows, err
		}, nil, attributes...)
		if err == nil {
			return review
		}
		if !errors.Is(err, ErrStaleFacts) || round == maxRounds {
			return err
		}
	}
}

// fetchFacts asks Stripe until our rows need nothing, or need the same again: Stripe then knows no more.
func (s *Service) fetchFacts(ctx context.Context, r Report, waited bool) (StripeFacts, error) {
	var facts StripeFacts
	if r == nil {
		return facts, nil
	}
	for asked := (needs{}); ; {
		n, err := r.needs(s.DB.WithContext(ctx), waited)
		if err != nil || n == asked || n == (needs{}) {
			return facts, err
		}
		if err := s.fetch(ctx, n, &facts); err != nil {
			return facts, err
		}
		asked = n
	}
}

func (s *Service) fetch(ctx context.Context, n needs, facts *StripeFacts) error {
	if n.session != "" {
		sold, err := s.fetchSold(ctx, n.session)
		if err != nil {
			return err
		}
		facts.Sold = &sold
	}
	if n.charge != "" {
		if err := s.fetchCharge(ctx, n.charge); err != nil {
			return err
		}
	}
	if n.dispute != "" {
		found, err := s.fetchDispute(ctx, n.dispute)
		if err != nil {
			return err
		}
		facts.Dispute = &CurrentDispute{Revision: n.revision, Dispute: found}
	}
	if n.payment != "" {
		return s.fetchPayment(ctx, n.payment)
	}
	return nil
}

// needs names the line items of a paid session that settles none of our purchases.
func (c Checkout) needs(db *gorm.DB, _ bool) (needs, error) {
	if c.Expired || !c.paid() {
		return needs{}, nil
	}
	p, err := findBySession(db, c)
	switch {
	case errors.Is(err, ErrNotOurs):
		if c.Tag != "" {
			return needs{}, nil
		}
		if foreign, err := knownForeign(db, c.ID); err != nil || foreign {
			return needs{}, err
		}
	case errors.As(err, new(ReviewError)):
	case err != nil:
		return needs{}, err
	case !c.paysTwice(p):
		return needs{}, nil
	}
	return needs{session: c.ID}, nil
}

func (c Charge) needs(db *gorm.DB, waited bool) (needs, error) {
	if !waited {
		return needs{}, nil
	}
	ref, err := c.payment(db)
	if err != nil {
		return needs{}, err
	}
	return needsOfPayment(db, ref)
}

func (r Refund) needs(db *gorm.DB, waited bool) (needs, error) {
	return needsOfMoneyBack(db, r.PaymentRef, r.ChargeID, waited)
}

func (d Dispute) needs(db *gorm.DB, waited bool) (needs, error) {
	n, err := needsOfMoneyBack(db, d.PaymentRef, d.ChargeID, waited)
	if err != nil || n.charge != "" {
		return n, err
	}
	known, err := storedDispute(db, d.ID)
	if err != nil || known == nil || d.PaymentRef != "" && d.PaymentRef != known.PaymentRef {
		return n, err
	}
	if d.compare(*known) == unclear {
		n.dispute, n.revision = d.ID, known.Revision
	}
	return n, nil
}

// needsOfMoneyBack names the charge of a refund or a dispute that comes without its payment and, once the event has
// waited, the payment whose product is unknown.
func needsOfMoneyBack(db *gorm.DB, paymentRef, chargeID string, waited bool) (needs, error) {
	if paymentRef != "" && !waited {
		return needs{}, nil
	}
	ref, err := paymentOf(db, paymentRef, chargeID)
	switch {
	case errors.Is(err, ErrNotOurs) && chargeID != "":
		return needs{charge: chargeID}, nil
	case errors.Is(err, ErrNotOurs) || errors.As(err, new(ReviewError)): // booking returns the same
		return needs{}, nil
	case err != nil || !waited:
		return needs{}, err
	}
	return needsOfPayment(db, ref)
}

// needsOfPayment names a payment that has no purchase and is not known to be another product's.
func needsOfPayment(db *gorm.DB, paymentRef string) (needs, error) {
	var known bool
	err := db.Raw(`SELECT EXISTS (SELECT FROM purchases WHERE payment_intent_id = @payment)
		OR EXISTS (SELECT FROM foreign_objects WHERE object_id = @payment)`, map[string]any{"payment": paymentRef}).Scan(&known).Error
	switch {
	case err != nil:
		return needs{}, fmt.Errorf("look for payment %s: %w", paymentRef, err)
	case known:
		return needs{}, nil
	}
	return needs{payment: paymentRef}, nil
}
