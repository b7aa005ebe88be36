// Package spend knows what a feature costs and takes that many credits, once.
package spend

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Feature is something that Resume Matcher does for credits.
type Feature struct {
	Name    models.Reason // also the reason in the ledger
	Credits models.Credits
}

// features is the one table of what things cost. A caller names a feature and never an amount.
var features = []Feature{
	{models.ReasonResumeAnalysis, 10},
	{models.ReasonJobMatch, 5},
	{models.ReasonResumeImprovement, 15},
}

// Features returns every feature with its price in credits.
func Features() []Feature { return append([]Feature(nil), features...) }

// maxMetadataBytes is how much a caller may say of a spend, as JSON.
const maxMetadataBytes = 8 << 10

// Request asks to spend credits on a feature.
type Request struct {
	UserID   int64
	Feature  string
	Key      string          // idempotency key; empty spends anew each time
	Metadata json.RawMessage // a JSON object kept beside the entry; may be empty
}

// Service spends credits.
type Service struct {
	DB  *gorm.DB
	Log *slog.Logger
}

// Spend takes the feature's price from the user's available credits.
//
// Units: credits. Locks: the user. Idempotent: by user and key, for ever.
// Errors: fault.InsufficientCredits with required, available and missing; fault.Conflict when the key was used for
// another request; fault.Invalid or fault.Malformed for an unknown feature, a long key or unfit metadata.
func (s *Service) Spend(ctx context.Context, r Request) (ledger.Posted, error) {
	entry, err := entryFor(r)
	if err != nil {
		return ledger.Posted{}, err
	}
	var posted ledger.Posted
	err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		posted, err = ledger.Post(tx, entry)
		return err
	})
	if err != nil {
		return ledger.Posted{}, err
	}
	if !posted.Replayed {
		s.Log.InfoContext(ctx, "credits moved", "user_id", r.UserID, "kind", entry.Reason, "credits", entry.Delta, "transaction_id", posted.ID)
	}
	return posted, nil
}

func entryFor(r Request) (ledger.Entry, error) {
	feature, ok := find(r.Feature)
	if !ok {
		return ledger.Entry{}, fault.Field("feature", fault.FeatureUnknown)
	}
	if err := ledger.CheckKey(r.Key); err != nil {
		return ledger.Entry{}, err
	}
	metadata, err := canonical(r.Metadata)
	if err != nil {
		return ledger.Entry{}, err
	}
	hash := sha256.Sum256(fmt.Appendf(nil, "spend\n%s\n%s", feature.Name, metadata))
	return ledger.Entry{
		UserID: r.UserID, Delta: -feature.Credits, Reason: feature.Name,
		Meta: models.Meta{IdempotencyKey: r.Key, RequestHash: hex.EncodeToString(hash[:]), RequestMetadata: metadata},
	}, nil
}

func find(name string) (Feature, bool) {
	for _, f := range features {
		if string(f.Name) == name {
			return f, true
		}
	}
	return Feature{}, false
}

// canonical checks the caller's metadata and writes it in one form, so that the same request with its keys in another
// order is the same request. Numbers keep their digits.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if len(raw) > maxMetadataBytes {
		return nil, fault.Field("metadata", fault.MetadataTooLarge)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || !storable(object) {
		return nil, fault.Field("metadata", fault.RequestUnderstood)
	}
	return json.Marshal(object)
}

// storable reports whether PostgreSQL's jsonb can hold the value: no NUL character, no number beyond a float's range.
func storable(value any) bool {
	switch v := value.(type) {
	case string:
		return models.Storable(v)
	case json.Number:
		f, err := v.Float64()
		tiny := f == 0 && strings.ContainsAny(string(v), "123456789") // 1e-20000: a float rounds it, jsonb refuses it
		return err == nil && !tiny && len(v) <= 100
	case []any:
		for _, item := range v {
			if !storable(item) {
				return false
			}
		}
	case map[string]any:
		for key, item := range v {
			if !models.Storable(key) || !storable(item) {
				return false
			}
		}
	}
	return true
}
