package ledger

import (
	"context"
	"log/slog"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// LogMoved writes the one log line of each entry. Call it after the commit, and LogWhenKnown when that failed; facts
// are further attributes.
func LogMoved(ctx context.Context, log *slog.Logger, rows []models.CreditTransaction, facts ...any) {
	for _, row := range rows {
		line := []any{"user_id", row.UserID, "kind", row.Reason, "credits", row.DeltaCredits, "transaction_id", row.ID}
		if row.Meta.PurchaseID != "" {
			line = append(line, "purchase_id", row.Meta.PurchaseID)
		}
		log.InfoContext(ctx, "credits moved", append(line, facts...)...)
	}
}

// Log writes the log line of a posted entry. A repeat moves nothing, and has a line of another kind.
func (p Posted) Log(ctx context.Context, log *slog.Logger, facts ...any) {
	if p.Replayed {
		log.InfoContext(ctx, "request repeated", append([]any{"user_id", p.UserID, "transaction_id", p.ID}, facts...)...)
		return
	}
	LogMoved(ctx, log, []models.CreditTransaction{p.CreditTransaction}, facts...)
}

// LogWhenKnown writes the log lines of entries once it is known that they were booked, if err is that of a transaction
// of unknown outcome. It returns at once.
func LogWhenKnown(ctx context.Context, db *gorm.DB, log *slog.Logger, err error, rows []models.CreditTransaction,
	facts ...any) {
	if len(rows) > 0 && postgres.OutcomeUnknown(err) {
		stands := func(tx models.Tx) (bool, error) { return entryStands(tx, rows[0]) }
		postgres.WhenKnown(ctx, db, log, stands, func(ctx context.Context) { LogMoved(ctx, log, rows, facts...) })
	}
}
