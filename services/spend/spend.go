// Package spend charges users for features: it takes the price of a feature at once, or holds it while the feature
// runs.
package spend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/cache"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Request asks to spend credits on a feature. Callers name a feature, never an amount.
type Request struct {
	Caller   uuid.UUID // the service key; the zero id for the user's session
	UserID   int64
	Email    string // names the user if UserID is 0
	Create   bool   // create an account for an unknown address
	Feature  string
	Key      string          // idempotency key; without one each request spends
	Metadata json.RawMessage // a JSON object stored with the entry, or empty
}

// Service spends and holds credits.
type Service struct {
	DB  *gorm.DB
	Log *slog.Logger

	// Shown keeps the features for pages. Its Life is how long this process may show prices that another has changed.
	// Default: each call reads them.
	Shown cache.Value[[]models.FeaturePrice]

	batcher batcher
	owners  ownerCache
}

// Spend takes the feature's price from the user's available credits: hold and capture in one step.
//
// Units: credits. Locks: the user. Idempotent: by caller, user and key, for ever.
// Errors: fault.InsufficientCredits with required, available and missing; fault.Conflict when the key was used for
// another request or its first request still runs; fault.Invalid or fault.Malformed for an unknown feature, a long key
// or invalid metadata; fault.NotFound for an unknown user; postgres.UnknownError.
func (s *Service) Spend(ctx context.Context, r Request) (ledger.Posted, error) {
	metadata, err := r.check()
	if err == nil {
		r.UserID, err = s.subject(ctx, r)
	}
	if err != nil {
		return ledger.Posted{}, err
	}
	meta := models.Meta{IdempotencyKey: r.Key, RequestHash: r.hash("spend", "", metadata), RequestMetadata: metadata,
		Caller: r.caller(), RecipientHash: r.recipientHash()}
	op := &ledger.PostOp{Entry: ledger.Entry{UserID: r.UserID, Reason: models.Reason(r.Feature), Meta: meta}}
	log := func(ctx context.Context) { op.Posted.Log(ctx, s.Log) }
	if err := s.apply(ctx, r.UserID, r.queueKey(), op, log); err != nil {
		return ledger.Posted{}, err
	}
	return op.Posted, nil
}

// apply applies an operation and logs it: at once or, when its outcome is unknown, as soon as it is known.
func (s *Service) apply(ctx context.Context, userID int64, key string, op ledger.Op, log func(context.Context)) error {
	err := s.batcher.do(ctx, s.DB, userID, key, op)
	switch {
	case err == nil:
		log(ctx)
	case postgres.OutcomeUnknown(err):
		postgres.WhenKnown(ctx, s.DB, s.Log, ledger.Applied(op), log)
	}
	return err
}

// check validates the request and returns its canonical metadata.
func (r Request) check() (json.RawMessage, error) {
	if r.Feature == "" || len(r.Feature) > maxFeatureLength || !models.Storable(r.Feature) ||
		models.FixedReason(models.Reason(r.Feature)) {
		return nil, fault.Field("feature", fault.FeatureUnknown)
	}
	if err := ledger.CheckKey(r.Key); err != nil {
		return nil, err
	}
	return canonical(r.Metadata)
}

// hash distinguishes the request from others with the same key. It excludes the price, which may change before a
// repeat.
func (r Request) hash(call, more string, metadata json.RawMessage) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s%s", call, r.Feature, more, metadata))
	return hex.EncodeToString(sum[:])
}

func (r Request) caller() string {
	if r.Caller == uuid.Nil {
		return ""
	}
	return r.Caller.String()
}

func (r Request) queueKey() string {
	if r.Key == "" {
		return ""
	}
	return r.caller() + " " + r.Key
}
