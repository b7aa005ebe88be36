package handlers

import (
	"context"
	"io"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/views/components"
)

// sendHistory is GET /{locale}/history.csv: all entries of the history page with the same filter, from one snapshot.
func (h *Handler) sendHistory(c *fiber.Ctx) error {
	query, err := h.parseHistoryQuery(c)
	if err != nil {
		return err
	}
	return h.sendExport(c, query.filter, "text/csv; charset=utf-8", locales.T(c.UserContext(), "history.csv.name")+".csv",
		writeHistory)
}

// writeHistory writes an export as CSV.
func writeHistory(ctx context.Context, out io.Writer, export *ledger.Export) error {
	table := newHistoryTable(ctx, out)
	for {
		lines, err := export.Next()
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return table.flush()
		}
		for _, line := range lines {
			table.line(line)
		}
		if err := table.flush(); err != nil {
			return err
		}
	}
}

// historyTable writes entries as CSV. Numbers are unquoted so that they can be summed.
type historyTable struct {
	ctx context.Context
	*csvTable
}

func newHistoryTable(ctx context.Context, out io.Writer) historyTable {
	header := []string{locales.T(ctx, "history.csv.number"),
		locales.T(ctx, "history.csv.date", locales.Args{"zone": components.Zone(ctx).String()})}
	for _, name := range []string{"what", "credits", "balance", "note", "purchase", "hold"} {
		header = append(header, locales.T(ctx, "history.csv."+name))
	}
	return historyTable{ctx: ctx, csvTable: newCSV(ctx, out, header)}
}

// purchaseNumber names the purchase of an entry; empty without one.
func purchaseNumber(e models.CreditTransaction) string {
	if e.PurchaseNumber == 0 {
		return e.Meta.PurchaseID // erased
	}
	return e.PurchaseNumber.String()
}

func (t historyTable) line(e models.CreditTransaction) {
	t.bare(strconv.FormatInt(e.ID, 10))
	t.bare(csvTime(t.ctx, e.CreatedAt))
	t.text(components.EntryReason(t.ctx, e))
	t.bare(strconv.FormatInt(int64(e.DeltaCredits), 10))
	t.bare(strconv.FormatInt(int64(e.BalanceAfter), 10))
	t.text(e.Meta.Note)
	t.text(purchaseNumber(e))
	t.text(e.Meta.HoldID)
	t.endRow()
}
