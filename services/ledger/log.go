package ledger

import (
	"context"
	"log/slog"

	"github.com/resume-matcher/credits/models"
)

// LogMoved writes the one log line of each entry. Call it after the commit; facts are further attributes.
func LogMoved(ctx context.Context, log *slog.Logger, rows []models.CreditTransaction, facts ...any) {
	for _, row := range rows {
		line := []any{"user_id", row.UserID, "kind", row.Reason, "credits", row.DeltaCredits, "transaction_id", row.ID}
		if row.Meta.PurchaseID != "" {
			line = append(line, "purchase_id", row.Meta.PurchaseID)
		}
		log.InfoContext(ctx, "credits moved", append(line, facts...)...)
	}
}

// Log writes the log line of a posted entry. A repeat is logged too, and says so: the reply to the first request's
// commit may have been lost, and its line with it.
func (p Posted) Log(ctx context.Context, log *slog.Logger, facts ...any) {
	if p.Replayed {
		facts = append(facts, "replayed", true)
	}
	LogMoved(ctx, log, []models.CreditTransaction{p.CreditTransaction}, facts...)
}
