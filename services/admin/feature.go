package admin

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Limits of a feature; the database enforces the same.
const (
	MaxFeatureCredits = 1_000_000 // credits per use
	MaxLabelLength    = 80        // characters
)

// featureName matches valid feature names, as the constraint feature_prices_feature_named does.
var featureName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)

// FeatureChange adds or changes a feature.
type FeatureChange struct {
	ActorID   int64
	Feature   string
	New       bool           // the feature must not exist yet; otherwise it must
	Credits   models.Credits // price of one use: 1 to MaxFeatureCredits
	Active    bool           // callers may hold and spend credits on it
	LabelEN   string         // required unless models.KnownFeature
	LabelDE   string         // required unless models.KnownFeature
	RequestID string
}

// Features returns every feature, active ones first.
func (s *Service) Features(ctx context.Context) ([]models.FeaturePrice, error) {
	var rows []models.FeaturePrice
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM feature_prices ORDER BY active DESC, created_at, feature`).Scan(&rows).
		Error
	if err != nil {
		return nil, fmt.Errorf("list features: %w", err)
	}
	return rows, nil
}

// SetFeature adds a feature, or changes the price, availability and labels of one. Existing holds and entries keep
// their price. A change writes one audit entry with the old and new values.
//
// Units: credits. Locks: the feature. Idempotent.
// Errors: fault.Invalid for a bad value or a new feature that exists; fault.NotFound for an unknown feature.
func (s *Service) SetFeature(ctx context.Context, f FeatureChange) error {
	f.LabelEN, f.LabelDE = strings.TrimSpace(f.LabelEN), strings.TrimSpace(f.LabelDE)
	if err := f.check(); err != nil {
		return err
	}
	err := postgres.Transaction(ctx, s.DB, f.write)
	if s.PricesChanged != nil {
		s.PricesChanged() // even if the outcome is unknown
	}
	return err
}

// write stores the change.
func (f FeatureChange) write(tx models.Tx) error {
	var before models.FeaturePrice
	err := tx.Raw(`SELECT * FROM feature_prices WHERE feature = ? FOR UPDATE`, f.Feature).Take(&before).Error
	missing := errors.Is(err, gorm.ErrRecordNotFound)
	switch {
	case err != nil && !missing:
		return fmt.Errorf("lock feature %s: %w", f.Feature, err)
	case missing && !f.New:
		return fault.New(fault.NotFound, nil)
	case !missing && f.New:
		return fault.Field("feature", fault.FeatureExists)
	case !missing && before.Credits == f.Credits && before.Active == f.Active &&
		before.LabelEN == f.LabelEN && before.LabelDE == f.LabelDE:
		return nil
	}
	written := tx.Exec(`INSERT INTO feature_prices AS f (feature, credits, active, label_en, label_de)
		VALUES (@feature, @credits, @active, @en, @de)
		ON CONFLICT (feature) DO UPDATE SET credits = @credits, active = @active, label_en = @en, label_de = @de, updated_at = now()
		WHERE NOT @new`, map[string]any{
		"feature": f.Feature, "credits": f.Credits, "active": f.Active, "en": f.LabelEN, "de": f.LabelDE, "new": f.New,
	})
	if written.Error != nil {
		return fmt.Errorf("set feature %s: %w", f.Feature, written.Error)
	}
	if written.RowsAffected == 0 { // another admin added it since the SELECT
		return fault.Field("feature", fault.FeatureExists)
	}
	return models.AppendAudit(tx, f.auditEvent(before))
}

func (f FeatureChange) check() error {
	switch {
	case !featureName.MatchString(f.Feature), models.FixedReason(models.Reason(f.Feature)):
		return fault.Field("feature", fault.FeatureName)
	case f.Credits < 1 || f.Credits > MaxFeatureCredits:
		return fault.Field("credits", fault.FeatureCredits)
	}
	for field, label := range map[string]string{"label_en": f.LabelEN, "label_de": f.LabelDE} {
		if utf8.RuneCountInString(label) > MaxLabelLength || !models.Storable(label) ||
			label == "" && !models.KnownFeature(models.Reason(f.Feature)) {
			return fault.Field(field, fault.FeatureLabel)
		}
	}
	return nil
}

func (f FeatureChange) auditEvent(before models.FeaturePrice) models.AuditEvent {
	detail := map[string]any{
		"feature": f.Feature, "credits": f.Credits, "active": f.Active, "label_en": f.LabelEN, "label_de": f.LabelDE,
	}
	action := models.ActionFeatureAdd
	if !f.New {
		action = models.ActionFeatureChange
		detail["credits_before"], detail["active_before"] = before.Credits, before.Active
	}
	return models.AuditEvent{ActorID: f.ActorID, Action: action, RequestID: f.RequestID, Detail: detail}
}
