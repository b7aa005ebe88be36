package purchase

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// Completed is what an event says of a Checkout Session that was completed.
type Completed struct {
	EventID string
	Checkout
}

// BookTogether books what several completed sessions say, as BookCheckout would, those that are the plain case: one of
// ours, paid as ordered, nothing of it gone back, and nobody at work on it. It returns the rows by event; of a session
// that has none nothing is written, and BookCheckout must look at it.
//
// One statement reads or writes for all of them, which is what makes it fast.
//
// Locks: the payments, the purchases and their users, of those that nobody else has locked; it waits for none.
// Idempotent: by session.
func (s *Service) BookTogether(tx *gorm.DB, sessions []Completed) (map[string]models.CreditTransaction, error) {
	pending, err := lockPending(tx, sessions)
	if err != nil {
		return nil, err
	}
	var paid []*models.Purchase
	var events []string
	for _, c := range sessions {
		p := pending[c.ID]
		if p == nil || hear(p, c.Checkout, s.Now()) != nil || p.Status != models.PurchasePaid {
			continue
		}
		delete(pending, c.ID) // a second event of the same session is for BookCheckout
		paid, events = append(paid, p), append(events, c.EventID)
	}
	facts, err := moneyBackOf(tx, paid)
	if err != nil {
		return nil, err
	}
	var plain []*models.Purchase
	var entries []ledger.Entry
	for i, p := range paid {
		due, moves := settlement(*p, facts[p.PaymentIntentID])
		if len(moves) != 1 || moves[0].Reason != models.ReasonPurchase {
			continue
		}
		moves[0].StripeEventID = events[i]
		plain, entries = append(plain, &due), append(entries, moves[0])
	}
	if len(plain) == 0 {
		return nil, nil
	}
	booked, err := ledger.PostGrants(tx, entries)
	if err != nil {
		return nil, err
	}
	return booked, save(tx, plain...)
}

// lockPending locks what sessions are about, where that is not locked and the purchase waits for its payment. It returns
// the purchases by session.
func lockPending(tx *gorm.DB, sessions []Completed) (map[string]*models.Purchase, error) {
	var values []any
	for _, c := range sessions {
		values = append(values, c.ID, c.PaymentIntent)
	}
	var rows []*models.Purchase
	// The users are locked here, too, though the ledger would do it: it would wait. What else is decided on is read by
	// later statements, for this one sees it as it was before it had the locks.
	err := tx.Raw(`WITH free AS MATERIALIZED (
			SELECT session FROM (VALUES `+models.Tuples(len(sessions), "(?::text, ?::text)")+`) asked (session, payment)
			WHERE payment = '' OR pg_try_advisory_xact_lock(hashtextextended('payment:' || payment, 0))
		)
		SELECT p.* FROM free JOIN purchases p ON p.checkout_session_id = session JOIN users u ON u.id = p.user_id
		WHERE p.status IN ('pending', 'awaiting_payment') AND u.deleted_at IS NULL FOR UPDATE OF p, u SKIP LOCKED`, values...).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("lock the purchases of %d sessions: %w", len(sessions), err)
	}
	found := map[string]*models.Purchase{}
	for _, p := range rows {
		found[p.CheckoutSessionID] = p
	}
	return found, nil
}
