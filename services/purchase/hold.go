package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// refundHoldLife outlasts every refund and withdrawal: their holds end with them, never by time.
const refundHoldLife = 100 * 365 * 24 * time.Hour

// hold reserves credits of a purchase's buyer for its refund, or until its withdrawal period ends.
func hold(tx models.Tx, p models.Purchase, reason models.Reason, credits models.Credits) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, fmt.Errorf("hold id: %w", err)
	}
	about, err := json.Marshal(map[string]string{"purchase_id": p.ID.String()})
	if err != nil {
		return id, err
	}
	op := &ledger.HoldOp{ID: id, UserID: p.UserID, Feature: reason, Credits: credits, TTL: refundHoldLife, Metadata: about}
	if reason == models.ReasonPeriod {
		op.Until, op.Exclusive = PeriodEnd(p.CreatedAt), p.ID.String()
	}
	if err := errors.Join(ledger.Apply(tx, op), op.Err()); err != nil {
		return id, fmt.Errorf("hold %d credits of purchase %s: %w", credits, p.ID, err)
	}
	return id, nil
}

// endHold releases a hold, if there is one, and returns the credits that this frees. The deletion of an account has
// dropped it already, and the end of its time expired it.
func endHold(tx models.Tx, userID int64, hold *uuid.UUID) (models.Credits, error) {
	if hold == nil {
		return 0, nil
	}
	op := &ledger.ReleaseOp{UserID: userID, ID: *hold}
	if err := ledger.Apply(tx, op); err != nil {
		return 0, fmt.Errorf("release hold %s of a purchase: %w", hold, err)
	}
	switch err := op.Err(); {
	case fault.Is(err, fault.NotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("release hold %s of a purchase: %w", hold, err)
	case op.Held.Replayed || op.Held.Status != models.HoldReleased:
		return 0, nil
	}
	return op.Held.Credits, nil
}

// EndStaleHolds releases the holds of refunds that have ended. A server of an earlier release, which knows no holds,
// also sends such refunds while it is being replaced.
//
// Locks: the user, then the hold. Idempotent.
func (s *Service) EndStaleHolds(ctx context.Context) error {
	var stale []models.Hold
	err := s.DB.WithContext(ctx).Raw(staleHoldsSQL, refundBatch).Scan(&stale).Error
	if err != nil {
		return fmt.Errorf("find holds of ended refunds: %w", err)
	}
	for _, h := range stale {
		err = errors.Join(err, postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
			_, err := endHold(tx, h.UserID, &h.ID)
			return err
		}))
	}
	return err
}

// staleHoldsSQL finds open holds whose refund is not pending. The condition on expires_at leaves out the holds of
// features, which last a day at most, by the index holds_open_by_expiry.
const staleHoldsSQL = `SELECT h.* FROM holds h WHERE status = 'open' AND expires_at > now() + interval '2 days'
	AND feature = 'refund' AND EXISTS (SELECT FROM refund_requests r WHERE r.hold_id = h.id AND r.status <> 'pending'
		AND r.purchase_id = CAST(h.metadata ->> 'purchase_id' AS uuid)) ORDER BY id LIMIT ?`
