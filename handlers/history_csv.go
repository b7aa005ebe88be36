package handlers

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"net"
	"strconv"
	"strings"
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
			return table.end()
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		for _, line := range lines {
			table.line(line)
		}
		if err := table.end(); err != nil {
			return err
		}
	}
}

// historyTable writes lines of the ledger as CSV: with a byte order mark, by which Excel knows UTF-8, and with the
// separator that it expects where the language is spoken. Numbers are bare, so that they can be summed.
type historyTable struct {
	ctx context.Context
	out *csv.Writer
}

func newHistoryTable(ctx context.Context, out io.Writer) historyTable {
	header := []string{locales.T(ctx, "history.csv.number", nil), locales.T(ctx, "history.csv.date", map[string]any{"zone": components.Zone(ctx).String()})}
	for _, name := range []string{"what", "credits", "balance", "note", "purchase", "hold"} {
		header = append(header, locales.T(ctx, "history.csv."+name, nil))
	}
	return historyTable{ctx: ctx, out: newCSV(ctx, out, header)}
}

// newCSV begins a table for the spreadsheets of the language, with its header.
func newCSV(ctx context.Context, out io.Writer, header []string) *csv.Writer {
	table := csv.NewWriter(out)
	table.UseCRLF = true
	if locales.Code(ctx) == "de" { // there the comma is the decimal point
		table.Comma = ';'
	}
	header[0] = "\uFEFF" + header[0]
	_ = table.Write(header) // its end tells
	return table
}

// csvTime is a moment as a spreadsheet of the language understands it.
func csvTime(ctx context.Context, at time.Time) string {
	layout := "2006-01-02 15:04:05"
	if locales.Code(ctx) == "de" {
		layout = "02.01.2006 15:04:05"
	}
	return at.In(components.Zone(ctx)).Format(layout)
}

func (t historyTable) line(e models.CreditTransaction) {
	_ = t.out.Write([]string{ // end tells
		strconv.FormatInt(e.ID, 10), csvTime(t.ctx, e.CreatedAt), harmless(components.EntryReason(t.ctx, e)),
		strconv.FormatInt(int64(e.DeltaCredits), 10), strconv.FormatInt(int64(e.BalanceAfter), 10),
		harmless(e.Meta.Note), harmless(e.Meta.PurchaseID), harmless(e.Meta.HoldID),
	})
}

// end sends what was written, and says whether all of it went through.
func (t historyTable) end() error {
	t.out.Flush()
	return t.out.Error()
}

// harmless keeps a spreadsheet from taking a text for a formula.
// Source: https://owasp.org/www-community/attacks/CSV_Injection
func harmless(text string) string {
	if strings.IndexAny(text, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + text
	}
	return text
}
