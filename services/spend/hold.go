package spend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// How long a hold lasts.
const (
	DefaultTTL = 15 * time.Minute
	MinTTL     = time.Second
	MaxTTL     = 24 * time.Hour
)

// HoldRequest asks to hold what a feature costs until it is captured, released, or TTL is over.
type HoldRequest struct {
	Request
	TTL time.Duration // 0 for DefaultTTL
}

// Hold reserves the feature's price from the user's available credits, for the caller alone to capture or release.
//
// Units: credits. Locks: the user. Idempotent: by caller, user and key, for ever; a repeat gets the hold as it was made.
// Errors: as Spend; fault.Invalid for a TTL out of range.
func (s *Service) Hold(ctx context.Context, r HoldRequest) (ledger.Held, error) {
	if r.TTL == 0 {
		r.TTL = DefaultTTL
	}
	if r.TTL < MinTTL || r.TTL > MaxTTL {
		return ledger.Held{}, fault.Field("ttl_seconds", fault.TTLRange)
	}
	metadata, err := r.check()
	if err == nil {
		r.UserID, err = s.subject(ctx, r.Request)
	}
	if err != nil {
		return ledger.Held{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return ledger.Held{}, fmt.Errorf("hold id: %w", err)
	}
	op := &ledger.HoldOp{
		ID: id, UserID: r.UserID, Caller: r.Caller, Feature: models.Reason(r.Feature), TTL: r.TTL, Key: r.Key,
		RequestHash: r.hash("hold", r.TTL.String()+"\n", metadata), RecipientHash: r.recipientHash(), Metadata: metadata,
	}
	if err := s.batcher.do(ctx, s.DB, r.UserID, r.queueKey(), op); err != nil {
		return ledger.Held{}, err
	}
	held := op.Held
	s.owners.add(held)
	held.Hold = asMade(held.Hold)
	if !held.Replayed {
		s.Log.InfoContext(ctx, "credits held", "user_id", held.UserID, "hold_id", held.ID, "kind", held.Feature, "credits", held.Credits)
	}
	return held, nil
}

// asMade is a hold as the answer to the request that made it showed it, byte for byte.
func asMade(h models.Hold) models.Hold {
	h.Status, h.Captured, h.TransactionID, h.UpdatedAt = models.HoldOpen, 0, nil, h.CreatedAt
	return h
}

// Find returns one of the caller's holds.
// Errors: fault.NotFound for another caller's, too.
func (s *Service) Find(ctx context.Context, caller uuid.UUID, id string) (models.Hold, error) {
	holdID, err := parseID(id)
	if err != nil {
		return models.Hold{}, err
	}
	var row models.Hold
	err = s.DB.WithContext(ctx).Raw(`SELECT *, CASE WHEN status = 'open' AND expires_at <= now() THEN 'expired' ELSE status END AS status
		FROM holds WHERE id = ? AND api_key_id IS NOT DISTINCT FROM ?`, holdID, uuid.NullUUID{UUID: caller, Valid: caller != uuid.Nil}).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fault.New(fault.NotFound, nil)
	}
	if err != nil {
		return row, fmt.Errorf("look up hold: %w", err)
	}
	return row, nil
}

// Capture takes a hold's credits, or fewer, for good.
//
// Units: credits; nil takes them all. Locks: the user, then the hold. Idempotent: as many again is the same capture.
// Errors: fault.NotFound; fault.HoldClosed; fault.Invalid. See ledger.CaptureOp.
func (s *Service) Capture(ctx context.Context, caller uuid.UUID, id string, credits *models.Credits) (ledger.Held, error) {
	holdID, user, err := s.holder(ctx, caller, id)
	if err != nil {
		return ledger.Held{}, err
	}
	op := &ledger.CaptureOp{UserID: user, Caller: caller, ID: holdID, Credits: credits}
	err = s.batcher.do(ctx, s.DB, user, "", op)
	return s.ended(ctx, "credits moved", op.Held, err)
}

// Release gives a hold's credits back.
//
// Locks: the user, then the hold. Idempotent: a hold that is released, or has expired, is returned as it is.
// Errors: fault.NotFound; fault.HoldClosed. See ledger.ReleaseOp.
func (s *Service) Release(ctx context.Context, caller uuid.UUID, id string) (ledger.Held, error) {
	holdID, user, err := s.holder(ctx, caller, id)
	if err != nil {
		return ledger.Held{}, err
	}
	op := &ledger.ReleaseOp{UserID: user, Caller: caller, ID: holdID}
	err = s.batcher.do(ctx, s.DB, user, "", op)
	return s.ended(ctx, "hold released", op.Held, err)
}

// holder returns the user of a caller's hold, who must be locked before the hold.
// Errors: fault.NotFound, also for another caller's.
func (s *Service) holder(ctx context.Context, caller uuid.UUID, id string) (holdID uuid.UUID, user int64, err error) {
	if holdID, err = parseID(id); err != nil {
		return holdID, 0, err
	}
	if user = s.owners.user(caller, holdID); user != 0 {
		return holdID, user, nil
	}
	hold, err := s.Find(ctx, caller, id)
	return hold.ID, hold.UserID, err
}

// ended logs that a hold has ended and returns it.
func (s *Service) ended(ctx context.Context, event string, held ledger.Held, err error) (ledger.Held, error) {
	if err != nil {
		return ledger.Held{}, err
	}
	if !held.Replayed {
		s.Log.InfoContext(ctx, event, "user_id", held.UserID, "hold_id", held.ID, "kind", held.Feature, "credits", -held.Captured, "status", held.Status)
	}
	return held, nil
}

// parseID reads a hold's id, in its one spelling.
func parseID(id string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return uuid.Nil, fault.New(fault.NotFound, nil)
	}
	return parsed, nil
}
