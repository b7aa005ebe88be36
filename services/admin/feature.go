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

// Limits of a feature, as the database keeps them too.
const (
	MaxFeatureCredits = 1_000_000 // credits that one use costs
	MaxLabelLength    = 80        // characters
)

// featureNames are what a feature may be called: as in the database (feature_prices_feature_named).
var featureNames = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)

// FeatureChange is what an admin wants a feature to be.
type FeatureChange struct {
	ActorID   int64
	Feature   string
	New       bool           // a feature that must not exist yet; else one that must
	Credits   models.Credits // 1 to 1,000,000, for what is held or spent from now on
	Active    bool           // whether it can be held or spent on
	LabelEN   string         // needed of features that the program has no words for
	LabelDE   string
	RequestID string
}

// Features returns every feature, also those that are switched off.
func (s *Service) Features(ctx context.Context) ([]models.FeaturePrice, error) {
	var rows []models.FeaturePrice
	if err := s.DB.WithContext(ctx).Raw(`SELECT * FROM feature_prices ORDER BY active DESC, created_at, feature`).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return rows, nil
}

// SetFeature adds a feature, or changes what one costs, whether it is offered, and what it is called. What has been held or
// spent already keeps its price. The audit log gets a line with what was and what is; none when nothing changes.
//
// Units: credits. Locks: the feature. Idempotent.
// Errors: fault.Invalid for an unfit value; fault.Conflict when a new one exists; fault.NotFound when another does not.
func (s *Service) SetFeature(ctx context.Context, f FeatureChange) error {
	f.LabelEN, f.LabelDE = strings.TrimSpace(f.LabelEN), strings.TrimSpace(f.LabelDE)
	if err := f.check(); err != nil {
		return err
	}
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
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
		case !missing && before.Credits == f.Credits && before.Active == f.Active && before.LabelEN == f.LabelEN && before.LabelDE == f.LabelDE:
			return nil
		}
		written := tx.Exec(`INSERT INTO feature_prices AS f (feature, credits, active, label_en, label_de) VALUES (@feature, @credits, @active, @en, @de)
			ON CONFLICT (feature) DO UPDATE SET credits = @credits, active = @active, label_en = @en, label_de = @de, updated_at = now()
			WHERE NOT @new`, map[string]any{"feature": f.Feature, "credits": f.Credits, "active": f.Active, "en": f.LabelEN, "de": f.LabelDE, "new": f.New})
		if written.Error != nil {
			return fmt.Errorf("set feature %s: %w", f.Feature, written.Error)
		}
		if written.RowsAffected == 0 { // another admin added it a moment ago
			return fault.Field("feature", fault.FeatureExists)
		}
		return models.AppendAudit(tx, f.deed(before))
	})
}

func (f FeatureChange) check() error {
	switch {
	case !featureNames.MatchString(f.Feature), models.FixedReason(models.Reason(f.Feature)):
		return fault.Field("feature", fault.FeatureName)
	case f.Credits < 1 || f.Credits > MaxFeatureCredits:
		return fault.Field("credits", fault.FeatureCredits)
	}
	for field, label := range map[string]string{"label_en": f.LabelEN, "label_de": f.LabelDE} {
		if utf8.RuneCountInString(label) > MaxLabelLength || !models.Storable(label) || label == "" && !models.KnownFeature(models.Reason(f.Feature)) {
			return fault.Field(field, fault.FeatureLabel)
		}
	}
	return nil
}

func (f FeatureChange) deed(before models.FeaturePrice) models.AuditEvent {
	detail := map[string]any{"feature": f.Feature, "credits": f.Credits, "active": f.Active, "label_en": f.LabelEN, "label_de": f.LabelDE}
	action := models.ActionFeatureAdd
	if !f.New {
		action = models.ActionFeatureChange
		detail["credits_before"], detail["active_before"] = before.Credits, before.Active
	}
	return models.AuditEvent{ActorID: f.ActorID, Action: action, RequestID: f.RequestID, Detail: detail}
}
