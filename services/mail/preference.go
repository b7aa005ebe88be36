package mail

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// maxLowBalance is the highest threshold of low balances, as in the constraint installations_low_balance_in_range.
const maxLowBalance = 1_000_000 // credits

// Refusals lists the kinds of letters that a user does not want.
func (s *Service) Refusals(ctx context.Context, userID int64) (kinds []models.LetterKind, err error) {
	err = s.DB.WithContext(ctx).Raw(`SELECT kind FROM letter_refusals WHERE user_id = ? ORDER BY kind`, userID).Scan(&kinds).Error
	if err != nil {
		return nil, fmt.Errorf("letters that user %d does not want: %w", userID, err)
	}
	return kinds, nil
}

// refuseSQL stores that the user of a letter, or a user, does not want letters of a kind. The lock keeps a concurrent
// deletion of the account from leaving the row behind.
const refuseSQL = `INSERT INTO letter_refusals (user_id, kind)
	SELECT id, @kind FROM users WHERE id = @user AND deleted_at IS NULL FOR SHARE ON CONFLICT DO NOTHING`

// SetWanted stores whether a user wants the letters of an optional kind.
//
// Idempotent. Errors: fault.Invalid for a kind that is not optional.
func (s *Service) SetWanted(ctx context.Context, userID int64, kind models.LetterKind, wanted bool) error {
	if !kind.Optional() {
		return fault.Because(fault.Invalid, fault.ChoiceUnknown)
	}
	statement := refuseSQL
	if wanted {
		statement = `DELETE FROM letter_refusals WHERE user_id = @user AND kind = @kind`
	}
	err := s.DB.WithContext(ctx).Exec(statement, map[string]any{"user": userID, "kind": kind}).Error
	if err != nil {
		return fmt.Errorf("store whether user %d wants letters %s: %w", userID, kind, err)
	}
	return nil
}

// Subscription is the kind of a letter that its user can unsubscribe from.
type Subscription struct {
	Kind    models.LetterKind
	UserID  int64
	Refused bool // the user has unsubscribed
}

// Subscription returns the subscription of a letter, whose id only its reader was given.
//
// Errors: fault.NotFound for an unknown letter, and for one of a kind that is not optional.
func (s *Service) Subscription(ctx context.Context, id string) (Subscription, error) {
	var rows []Subscription
	letter, err := uuid.Parse(id)
	if err == nil {
		err = s.DB.WithContext(ctx).Raw(`SELECT l.kind, l.user_id, EXISTS (SELECT FROM letter_refusals r
				WHERE r.user_id = l.user_id AND r.kind = l.kind) AS refused
			FROM letters l JOIN users u ON u.id = l.user_id AND u.deleted_at IS NULL WHERE l.id = ?`, letter).Scan(&rows).Error
		if err != nil {
			return Subscription{}, fmt.Errorf("look up letter %s: %w", letter, err)
		}
	}
	if len(rows) == 0 || !rows[0].Kind.Optional() {
		return Subscription{}, fault.New(fault.NotFound, nil)
	}
	return rows[0], nil
}

// Unsubscribe stores that the user of a letter does not want further letters of its kind.
//
// Idempotent. Errors: as Subscription. Source: RFC 8058
func (s *Service) Unsubscribe(ctx context.Context, id string) (Subscription, error) {
	found, err := s.Subscription(ctx, id)
	if err != nil || found.Refused {
		return found, err
	}
	found.Refused = true
	return found, s.SetWanted(ctx, found.UserID, found.Kind, false)
}

// Settings are what admins set about letters.
type Settings struct {
	LowBalance *models.Credits // below which users get a letter: 0 for never, nil for Standard
	Digest     bool            // whether the operator gets a letter about each day
	Standard   models.Credits  // the price of the dearest feature; not set by admins
}

// Settings returns what admins have set about letters.
func (s *Service) Settings(ctx context.Context) (settings Settings, err error) {
	err = s.DB.WithContext(ctx).Raw(`SELECT low_balance, digest,
		coalesce((SELECT max(credits) FROM feature_prices WHERE active), 0) AS standard FROM installations`).Scan(&settings).Error
	if err != nil {
		return settings, fmt.Errorf("read the settings of letters: %w", err)
	}
	return settings, nil
}

// SaveSettings stores what admins set about letters. A digest that was off begins with the present day.
//
// Idempotent. Errors: fault.Invalid for a threshold out of range.
func (s *Service) SaveSettings(ctx context.Context, settings Settings) error {
	if low := settings.LowBalance; low != nil && (*low < 0 || *low > maxLowBalance) {
		return fault.Field("low_balance", fault.LowBalanceRange)
	}
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		changed := tx.Exec(`UPDATE installations SET low_balance = @low, digest = @digest,
				digested_on = CASE WHEN digest THEN digested_on ELSE greatest(digested_on, (now() AT TIME ZONE 'UTC')::date - 1) END
			WHERE (low_balance, digest) IS DISTINCT FROM (CAST(@low AS integer), CAST(@digest AS boolean))`,
			map[string]any{"low": settings.LowBalance, "digest": settings.Digest})
		if changed.Error != nil {
			return fmt.Errorf("store the settings of letters: %w", changed.Error)
		}
		if changed.RowsAffected == 0 {
			return nil
		}
		detail := map[string]any{"digest": settings.Digest}
		if settings.LowBalance != nil {
			detail["credits"] = *settings.LowBalance
		}
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionLetterSettings, Detail: detail})
	})
}
