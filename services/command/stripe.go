package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/reconcile"
)

// syncPrices is `credits prices sync`.
func syncPrices(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits prices sync", flag.ContinueOnError)
	if len(args) > 0 && args[0] == "sync" {
		args = args[1:]
	} else if !slices.Contains(args, "-h") {
		return Command{}, UsageError("prices knows one thing: credits prices sync")
	}
	if err := Parse(set, "Creates or updates the product and prices at Stripe and copies them into our table.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	return Command{Stripe: true, Run: func(ctx context.Context, env Env) error {
		n, err := env.Catalog.Sync(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%d prices are the same here and at Stripe.\n", n)
		return err
	}}, nil
}

// reconcileNow is `credits reconcile`.
func reconcileNow(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits reconcile", flag.ContinueOnError)
	if err := Parse(set, "Reads the Checkout Sessions, refunds and disputes of the last 30 days from Stripe, books what is missing,\n"+
		"and compares every balance with its ledger lines. The server does the same every hour.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	return Command{Stripe: true, Run: func(ctx context.Context, env Env) error {
		err := postgres.Transaction(ctx, env.DB, func(tx models.Tx) error {
			return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionReconcileStart})
		})
		if err != nil {
			return err
		}
		report, err := (&reconcile.Service{DB: env.DB, Purchase: env.Purchase, Now: models.Now, Log: env.Log}).Once(ctx)
		if errors.Is(err, reconcile.ErrRunning) {
			return errors.New("another process is reconciling; /admin/events shows how far it has come")
		}
		if err != nil {
			return fmt.Errorf("reconciling stopped and will go on from there: %w", err)
		}
		return printReport(env.Stdout, report)
	}}, nil
}

// printReport prints one line for each finding, and how much was compared.
func printReport(w io.Writer, report reconcile.Report) error {
	said := map[models.FindingKind]string{
		models.FindingPurchase: "paid and not credited, mended", models.FindingRefund: "refund not booked, mended",
		models.FindingDispute: "dispute not booked, mended", models.FindingBalance: "balance differed from its ledger lines, mended",
		models.FindingReview: "needs a person",
	}
	var lines strings.Builder
	for _, f := range report.Findings {
		fmt.Fprintf(&lines, "%s: %s", f.ObjectID, said[f.Kind])
		if f.Credits != 0 {
			fmt.Fprintf(&lines, " (%+d credits)", f.Credits)
		}
		if f.Note != "" {
			fmt.Fprintf(&lines, ": %s", f.Note)
		}
		lines.WriteString("\n")
	}
	if len(report.Findings) == 0 {
		lines.WriteString("Nothing to mend.\n")
	}
	fmt.Fprintf(&lines, "Compared %d sessions, refunds, disputes and balances.\n", report.Checked)
	_, err := io.WriteString(w, lines.String())
	return err
}
