package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/reconcile"
)

// syncPrices is `credits prices sync`.
func syncPrices(ctx context.Context, p *Program, args []string) error {
	if err := newFlags("prices sync", "command.prices.explanation").parse(ctx, p, args); err != nil {
		return err
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	purchases, err := p.Purchases(ctx, db)
	if err != nil {
		return err
	}
	n, err := p.Catalog(purchases).Sync(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, say(ctx, "command.prices.done", values{"count": n}))
	return err
}

// reconcileNow is `credits reconcile`.
func reconcileNow(ctx context.Context, p *Program, args []string) error {
	if err := newFlags("reconcile", "command.reconcile.explanation").parse(ctx, p, args); err != nil {
		return err
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	purchases, err := p.Purchases(ctx, db)
	if err != nil {
		return err
	}
	err = postgres.Transaction(ctx, db, func(tx models.Tx) error {
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionReconcileStart})
	})
	if err != nil {
		return err
	}
	report, err := (&reconcile.Service{DB: db, Purchase: purchases, Now: models.Now, Log: p.Log}).Once(ctx)
	if errors.Is(err, reconcile.ErrRunning) {
		return errors.New(say(ctx, "command.reconcile.running", nil))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", say(ctx, "command.reconcile.interrupted", nil), err)
	}
	_, err = fmt.Fprint(p.Stdout, reportText(ctx, report))
	return err
}

// findingTexts are the locale keys of the kinds of findings.
var findingTexts = map[models.FindingKind]string{
	models.FindingPurchase: "command.reconcile.purchase",
	models.FindingRefund:   "command.reconcile.refund",
	models.FindingDispute:  "command.reconcile.dispute",
	models.FindingBalance:  "command.reconcile.balance",
	models.FindingReview:   "command.reconcile.review",
}

// reportText is a line for each finding, then how much was compared.
func reportText(ctx context.Context, report reconcile.Report) string {
	var lines strings.Builder
	for _, f := range report.Findings {
		fmt.Fprintf(&lines, "%s: %s", f.ObjectID, say(ctx, findingTexts[f.Kind], nil))
		if f.Credits != 0 {
			lines.WriteString(" " + say(ctx, "command.reconcile.credits", values{"credits": fmt.Sprintf("%+d", f.Credits)}))
		}
		if f.Note != "" {
			fmt.Fprintf(&lines, ": %s", f.Note)
		}
		lines.WriteString("\n")
	}
	if len(report.Findings) == 0 {
		lines.WriteString(say(ctx, "command.reconcile.none", nil) + "\n")
	}
	return lines.String() + say(ctx, "command.reconcile.compared", values{"count": report.Checked}) + "\n"
}

// PreparePrices puts the packages on sale without asking the operator, in the sandbox and where a developer tries
// Stripe's test mode. A test account at Stripe knows none of the sandbox's prices.
func (p *Program) PreparePrices(ctx context.Context, prices *catalog.Service) error {
	if !p.Config.LocalSignIn {
		return nil
	}
	if _, err := prices.Sync(ctx); err != nil && p.Config.Mode == config.Sandbox {
		return fmt.Errorf("prepare the packages: %w", err)
	} else if err != nil {
		p.Log.WarnContext(ctx, "sync prices with Stripe failed; run credits doctor", "err", err)
	}
	return nil
}
