package handlers

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/views/components"
)

const (
	makeBudget  = time.Minute      // to make an exported file
	takeBudget  = 10 * time.Minute // for its reader to take it; writeTimeout, for a part
	maxFileSize = 256 << 20        // bytes; some three million movements
)

// sendHistory is GET /{locale}/history.csv: the movements of the page with the same filter, all of them, as they were
// at one moment.
func (h *Handler) sendHistory(c *fiber.Ctx) error {
	asked, err := h.askedOf(c)
	if err != nil {
		return err
	}
	return h.sendExport(c, asked.filter, "text/csv; charset=utf-8", locales.T(c.UserContext(), "history.csv.name", nil)+".csv", writeHistory)
}

// sendExport sends a file that write makes of the user's movements. It is made whole first, so that a reader who takes
// their time keeps no connection to the database, no snapshot and nobody else's turn, and so that half a file is never
// taken for all there is: what goes wrong is an error page, and later a length that is not reached.
func (h *Handler) sendExport(c *fiber.Ctx, filter ledger.Filter, mime, name string, write func(context.Context, io.Writer, *ledger.Export) error) error {
	file, err := newSpool(maxFileSize)
	if err != nil {
		return err
	}
	defer func() {
		if file != nil {
			_ = file.Close() // nobody needs it
		}
	}()
	// A long history takes longer than a request may.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), makeBudget)
	defer cancel()
	export, err := h.Ledger.Export(ctx, currentUserID(c), filter)
	if err != nil {
		return err
	}
	defer export.Close()
	if err := write(ctx, file, export); err != nil {
		return err
	}
	size, err := file.sendTo(c.Context().Conn(), takeBudget)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, mime)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.Context().SetBodyStream(file, int(size))
	file = nil // closed when it has been sent
	return nil
}

// writeHistory writes an export as a spreadsheet of the reader's language opens it.
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

// historyTable writes lines of the ledger as CSV. Numbers are bare, so that they can be summed.
type historyTable struct {
	ctx context.Context
	*csvTable
}

func newHistoryTable(ctx context.Context, out io.Writer) historyTable {
	header := []string{locales.T(ctx, "history.csv.number", nil), locales.T(ctx, "history.csv.date", map[string]any{"zone": components.Zone(ctx).String()})}
	for _, name := range []string{"what", "credits", "balance", "note", "purchase", "hold"} {
		header = append(header, locales.T(ctx, "history.csv."+name, nil))
	}
	return historyTable{ctx: ctx, csvTable: newCSV(ctx, out, header)}
}

func (t historyTable) line(e models.CreditTransaction) {
	t.bare(strconv.FormatInt(e.ID, 10))
	t.bare(csvTime(t.ctx, e.CreatedAt))
	t.text(components.EntryReason(t.ctx, e))
	t.bare(strconv.FormatInt(int64(e.DeltaCredits), 10))
	t.bare(strconv.FormatInt(int64(e.BalanceAfter), 10))
	for _, text := range []string{e.Meta.Note, e.Meta.PurchaseID, e.Meta.HoldID} {
		t.text(text)
	}
	t.endRow()
}
