package handlers

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/views/components"
)

// exportBudget bounds how long a reader may take for a whole history; writeTimeout, for one batch.
const exportBudget = 10 * time.Minute

// sendHistory is GET /{locale}/history.csv: the movements of the page with the same filter, all of them, as they were
// at one moment.
func (h *Handler) sendHistory(c *fiber.Ctx) error {
	asked, err := h.askedOf(c)
	if err != nil {
		return err
	}
	return h.sendExport(c, asked.filter, "text/csv; charset=utf-8", locales.T(c.UserContext(), "history.csv.name", nil)+".csv", writeHistory)
}

// sendExport streams a file that write makes of the user's movements. A few at once is all that is possible.
func (h *Handler) sendExport(c *fiber.Ctx, filter ledger.Filter, mime, name string,
	write func(context.Context, io.Writer, *ledger.Export, net.Conn) error) error {
	// It goes on after this function has returned, and with it the request's own time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), exportBudget)
	export, err := h.Ledger.Export(ctx, currentUserID(c), filter)
	if err != nil {
		cancel()
		return err
	}
	c.Set(fiber.HeaderContentType, mime)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	if c.Method() == fiber.MethodHead {
		export.Close()
		cancel()
		return nil
	}
	user, conn := currentUserID(c), c.Context().Conn()
	c.Context().SetBodyStreamWriter(func(out *bufio.Writer) {
		defer cancel()
		defer export.Close()
		whole := false
		defer func() { // whatever goes wrong cuts the connection: what was sent must not look like all there is
			cause := recover()
			if whole {
				return
			}
			_ = conn.Close() // nobody is left to tell
			h.Site.Log.WarnContext(ctx, "export cut short", "user_id", user, "panic", cause != nil)
		}()
		whole = write(ctx, out, export, conn) == nil
	})
	return nil
}

// writeHistory writes an export as a spreadsheet of the reader's language opens it.
func writeHistory(ctx context.Context, out io.Writer, export *ledger.Export, conn net.Conn) error {
	table := newHistoryTable(ctx, out)
	for {
		lines, err := export.Next()
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return table.flush()
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
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
