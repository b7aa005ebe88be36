package spend

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// How long a hold lives: HoldRequest.TTL, and its limits.
const (
	DefaultTTL = 15 * time.Minute
	MinTTL     = time.Second
	MaxTTL     = 24 * time.Hour
)

// HoldRequest asks to hold the price of a feature until capture, release, or the end of TTL.
type HoldRequest struct {
	Request
	TTL       time.Duration // 0 for DefaultTTL
	Exclusive string        // as in ledger.HoldOp
}

// Hold reserves the feature's price from the user's available credits. Only the caller can capture or release it.
//
// Units: credits. Locks: the user. Idempotent: by caller, user and key, for ever; a repeat returns the hold as created.
// Errors: as Spend; fault.Invalid for a TTL out of range; fault.InProgress while another exclusive hold is open.
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
		Exclusive: r.Exclusive,
	}
	if err := s.apply(ctx, r.UserID, r.queueKey(), op, func(ctx context.Context) { s.logHeld(ctx, op.Held) }); err != nil {
		return ledger.Held{}, err
	}
	held := op.Held
	s.owners.add(held)
	held.Hold = asCreated(held.Hold)
	return held, nil
}

func (s *Service) logHeld(ctx context.Context, h ledger.Held) {
	if !h.Replayed {
		s.Log.InfoContext(ctx, "credits held", "user_id", h.UserID, "hold_id", h.ID, "kind", h.Feature, "credits", h.Credits)
	}
}

// Result is what the work behind a hold came to. It joins the metadata of the hold and, after a capture, of its entry.
type Result struct {
	Status       int // HTTP status of the server that did the work; 0 if it gave none
	Milliseconds int64
}

func (r Result) facts() json.RawMessage {
	if r.Status == 0 {
		return fmt.Appendf(nil, `{"ms":%d}`, r.Milliseconds)
	}
	return fmt.Appendf(nil, `{"status":%d,"ms":%d}`, r.Status, r.Milliseconds)
}

// asCreated returns a hold exactly as the response to its first request showed it.
func asCreated(h models.Hold) models.Hold {
	h.Status, h.Captured, h.TransactionID, h.UpdatedAt = models.HoldOpen, 0, nil, h.CreatedAt
	return h
}

// Find returns a hold of the caller.
// Errors: fault.NotFound, also for another caller's hold.
func (s *Service) Find(ctx context.Context, caller uuid.UUID, id string) (models.Hold, error) {
	holdID, err := parseID(id)
	if err != nil {
		return models.Hold{}, err
	}
	var row models.Hold
	err = s.DB.WithContext(ctx).
		Raw(`SELECT *, CASE WHEN status = 'open' AND expires_at <= now() THEN 'expired' ELSE status END AS status
		FROM holds WHERE id = ? AND api_key_id IS NOT DISTINCT FROM ?`, holdID, uuid.NullUUID{UUID: caller, Valid: caller != uuid.Nil}).Take(&row).Error
	return row, postgres.Found(err, "look up hold")
}

// Capture takes the credits of a hold, or fewer.
//
// Units: credits; nil for all. Locks: the user, then the hold. Idempotent: a repeat with the same amount is the same
// capture.
// Errors: fault.NotFound; fault.HoldClosed; fault.Invalid. See ledger.CaptureOp.
func (s *Service) Capture(ctx context.Context, caller uuid.UUID, id string, credits *models.Credits) (ledger.Held,
	error) {
	return s.capture(ctx, caller, id, credits, nil)
}

// CaptureWith is Capture of all credits, with the result of the work.
func (s *Service) CaptureWith(ctx context.Context, caller uuid.UUID, id string, r Result) (ledger.Held, error) {
	return s.capture(ctx, caller, id, nil, r.facts())
}

func (s *Service) capture(ctx context.Context, caller uuid.UUID, id string, credits *models.Credits,
	facts json.RawMessage) (ledger.Held, error) {
	holdID, user, err := s.userOf(ctx, caller, id)
	if err != nil {
		return ledger.Held{}, err
	}
	op := &ledger.CaptureOp{UserID: user, Caller: caller, ID: holdID, Credits: credits, Facts: facts}
	log := func(ctx context.Context) { s.logEnded(ctx, "credits moved", op.Held) }
	if err := s.apply(ctx, user, "", op, log); err != nil {
		return ledger.Held{}, err
	}
	return op.Held, nil
}

// Release frees the credits of a hold.
//
// Locks: the user, then the hold. Idempotent: a released or expired hold is returned as it is.
// Errors: fault.NotFound; fault.HoldClosed. See ledger.ReleaseOp.
func (s *Service) Release(ctx context.Context, caller uuid.UUID, id string) (ledger.Held, error) {
	return s.release(ctx, caller, id, nil)
}

// ReleaseWith is Release, with the result of the work.
func (s *Service) ReleaseWith(ctx context.Context, caller uuid.UUID, id string, r Result) (ledger.Held, error) {
	return s.release(ctx, caller, id, r.facts())
}

func (s *Service) release(ctx context.Context, caller uuid.UUID, id string, facts json.RawMessage) (ledger.Held,
	error) {
	holdID, user, err := s.userOf(ctx, caller, id)
	if err != nil {
		return ledger.Held{}, err
	}
	op := &ledger.ReleaseOp{UserID: user, Caller: caller, ID: holdID, Facts: facts}
	log := func(ctx context.Context) { s.logEnded(ctx, "hold released", op.Held) }
	if err := s.apply(ctx, user, "", op, log); err != nil {
		return ledger.Held{}, err
	}
	return op.Held, nil
}

// userOf returns the user of a caller's hold, who must be locked before the hold.
// Errors: fault.NotFound, also for another caller's hold.
func (s *Service) userOf(ctx context.Context, caller uuid.UUID, id string) (holdID uuid.UUID, user int64, err error) {
	if holdID, err = parseID(id); err != nil {
		return holdID, 0, err
	}
	if user = s.owners.user(caller, holdID); user != 0 {
		return holdID, user, nil
	}
	hold, err := s.Find(ctx, caller, id)
	return hold.ID, hold.UserID, err
}

// logEnded logs how a hold ended. A repeat changes nothing, and has a line of another kind.
func (s *Service) logEnded(ctx context.Context, event string, held ledger.Held) {
	if held.Replayed {
		event = "request repeated"
	}
	line := []any{"user_id", held.UserID, "hold_id", held.ID, "kind", held.Feature, "credits", -held.Captured,
		"status", held.Status}
	if held.TransactionID != nil {
		line = append(line, "transaction_id", *held.TransactionID)
	}
	s.Log.InfoContext(ctx, event, line...)
}

// parseID parses a hold's id in its canonical spelling.
func parseID(id string) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return uuid.Nil, fault.New(fault.NotFound, nil)
	}
	return parsed, nil
}
