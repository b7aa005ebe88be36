package webhook

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// LockForDecision locks an event that an admin decides about. Call it before locking the event's payment or purchase.
// Locks: the event. Errors: fault.NotFound.
func LockForDecision(tx models.Tx, eventID string) (models.StripeEvent, error) {
	var event models.StripeEvent
	if !models.Storable(eventID) {
		return event, fault.New(fault.NotFound, nil)
	}
	err := tx.Raw(`SELECT * FROM stripe_events WHERE event_id = ? FOR UPDATE`, eventID).Take(&event).Error
	return event, postgres.Found(err, "lock event %s", eventID)
}

// CloseDecided closes a locked event by an admin's decision. DecisionForeign also closes the waiting events of the same
// object or payment, and later ones are ignored.
//
// Locks: the events of the same object and payment. Idempotent: changed is false when the decision is the same.
// Errors: fault.Conflict when the event was decided otherwise or booked.
func (s *Service) CloseDecided(
	tx models.Tx, event models.StripeEvent, kind models.DecisionKind,
) (changed bool, err error) {
	switch {
	case event.Decided == kind:
		return false, nil
	case event.Decided != "" || event.Status == models.EventDone || event.Status == models.EventIgnored:
		return false, fault.Because(fault.Conflict, fault.DecidedOtherwise)
	}
	if cause := event.LastError; cause == models.CauseDisputeCurrency || cause == models.CauseReinstated {
		if err := purchase.CloseDisputeShare(tx, event.ObjectID); err != nil {
			return false, err
		}
	}
	status, also, note := models.EventDone, `false`, event.LastError
	if kind == models.DecisionForeign {
		status, note = models.EventIgnored, models.CauseDecidedForeign
		also =
			`status IN ('review', 'deferred') AND (object_id = @object AND @object <> '' OR payment_ref = @payment AND @payment <> '')`
	}
	err = tx.Exec(`UPDATE stripe_events SET status = @status, decided = @kind, last_error = @note, processed_at = @now
		WHERE event_id = @event OR `+also, map[string]any{
		"status": status, "kind": string(kind), "note": note, "now": s.Now(),
		"event": event.EventID, "object": event.ObjectID, "payment": event.PaymentRef,
	}).Error
	if err != nil {
		return false, fmt.Errorf("close event %s: %w", event.EventID, err)
	}
	return true, nil
}

// decidedForeign reports whether an admin decided that the object or its payment is not ours.
func decidedForeign(tx models.Tx, o object) (bool, error) {
	var foreign bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM stripe_events WHERE decided = 'foreign'
			AND (object_id = @object OR payment_ref = @payment AND @payment <> ''))`,
		map[string]any{"object": o.ID, "payment": o.paymentRef()}).Scan(&foreign).Error
	if err != nil {
		return false, fmt.Errorf("look for decisions about %s: %w", o.ID, err)
	}
	return foreign, nil
}

// decidedSQL selects the events under review whose purchase was decided since: by an admin, by Stripe, or because all
// of the money was returned.
const decidedSQL = `e.status = 'review' AND e.object_id <> '' AND CASE
	WHEN e.last_error IN @review_disputes THEN EXISTS (SELECT FROM stripe_disputes d WHERE d.dispute_id = e.object_id
		AND d.share IS NOT NULL)
	WHEN e.last_error = @review_deleted THEN EXISTS (SELECT FROM purchases p WHERE p.checkout_session_id = e.object_id
		AND p.credits_refunded + p.credits_disputed >= p.credits_granted)
	WHEN e.last_error IN @review_causes THEN EXISTS (SELECT FROM purchases p WHERE p.checkout_session_id = e.object_id
		AND p.status IN ('paid', 'returned', 'foreign')) END`

// decidedArgs are the arguments of decidedSQL.
func decidedArgs() map[string]any {
	return map[string]any{
		"review_causes": models.PaymentCauses(), "review_deleted": string(models.CauseDeleted),
		"review_disputes": []models.Cause{models.CauseDisputeCurrency, models.CauseReinstated},
	}
}

// BookDecided books the events that decidedSQL selects. It applies the same rules as the first booking.
func (s *Service) BookDecided(ctx context.Context) error {
	args := decidedArgs()
	args["now"], args["batch"] = s.Now(), workerBatch
	var ids []string
	err := s.DB.WithContext(ctx).Raw(`UPDATE stripe_events SET status = 'received', attempts = 0, next_attempt_at = @now
		WHERE event_id IN (
		SELECT e.event_id FROM stripe_events e WHERE `+decidedSQL+` LIMIT @batch FOR UPDATE SKIP LOCKED)
		RETURNING event_id`, args).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("find events of decided purchases: %w", err)
	}
	for _, id := range ids {
		s.bookStored(ctx, id)
	}
	return nil
}
