package admin

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/periodic"
)

// Figures reads what monitoring watches, in one snapshot. It does not count as activity, so a scrape does not make the
// servers look for work every two seconds. It still asks the database, as the health check of each scrape does: a
// monitor that left an idle database asleep could not tell that it is unreachable.
func (s *Service) Figures(ctx context.Context) (models.Figures, error) {
	ctx = periodic.Background(ctx)
	var f models.Figures
	tx, err := postgres.Snapshot(ctx, s.DB)
	if err != nil {
		return f, fmt.Errorf("open the snapshot of the figures: %w", err)
	}
	defer tx.Rollback()
	if f.Totals, err = ledger.ReadTotals(tx); err != nil {
		return f, err
	}
	var last struct{ Ended *time.Time } // nil before the first
	for _, read := range []struct {
		rows any
		sql  string
		args []any
	}{
		{&f.Events, `SELECT status, count(*) AS count, extract(epoch FROM now() - min(received_at))::float8 AS age
			FROM stripe_events GROUP BY status`, nil},
		{&f.Holds, `SELECT status, count(*) AS count, count(*) FILTER (WHERE status = 'open'
			AND expires_at < now() - interval '1 minute') AS overdue FROM holds GROUP BY status`, nil},
		{&f.Waiting, waitingSQL + ` SELECT kind, split_part(cause, ' ', 1) AS cause, count(*) AS count
			FROM waiting GROUP BY 1, 2`, []any{sql.Named("causes", models.PaymentCauses())}},
		{&f.Findings, `SELECT kind, count(*) AS count FROM reconciliation_findings GROUP BY kind`, nil},
		{&f.Deliveries, `SELECT status, count(*) AS count, coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE
			status = 'pending' AND endpoint_id IN (SELECT id FROM webhook_endpoints WHERE disabled_at IS NULL))), 0)::float8
			AS age FROM webhook_deliveries GROUP BY status`, nil},
		{&f.Letters, `SELECT status, count(*) AS count, extract(epoch FROM now() - min(created_at))::float8 AS age
			FROM letters GROUP BY status`, nil},
		{&last, `SELECT max(finished_at) AS ended FROM reconciliations`, nil},
	} {
		if err := tx.Raw(read.sql, read.args...).Scan(read.rows).Error; err != nil {
			return f, fmt.Errorf("read the figures: %w", err)
		}
	}
	f.Reconciled = last.Ended
	return f, nil
}
