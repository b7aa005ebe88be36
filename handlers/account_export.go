package handlers

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/views/components"
)

// transactionsName names the section with the ledger entries; account.Sections names the others.
const transactionsName = "transactions"

// sendAccount is GET /{locale}/account/export.zip: everything stored about the user in one snapshot, each section as
// CSV for spreadsheets and as JSON for programs.
func (h *Handler) sendAccount(c *fiber.Ctx) error {
	user := currentUserID(c)
	return h.sendExport(c, ledger.Filter{}, "application/zip", locales.T(c.UserContext(), "account.export.name")+".zip",
		func(ctx context.Context, out io.Writer, export *ledger.Export) error {
			file := accountFile{ctx: ctx, zip: zip.NewWriter(out), export: export, user: user}
			for _, section := range account.Sections() {
				if err := file.section(section); err != nil {
					return err
				}
			}
			if err := file.transactions(); err != nil {
				return err
			}
			return file.zip.Close()
		})
}

// accountFile writes the ZIP archive.
type accountFile struct {
	ctx    context.Context
	zip    *zip.Writer
	export *ledger.Export
	user   int64
}

// entry starts a file in the archive.
func (f accountFile) entry(name string) (io.Writer, error) {
	return f.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: models.Now()})
}

// section writes one section as CSV and as JSON.
func (f accountFile) section(s account.Section) error {
	columns, err := s.Columns(f.export)
	if err != nil {
		return err
	}
	out, err := f.entry("csv/" + s.Name + ".csv")
	if err != nil {
		return err
	}
	var header []string
	for _, name := range columns {
		header = append(header, locales.T(f.ctx, "account.export.columns."+strings.ToLower(name),
			locales.Args{"zone": components.Zone(f.ctx).String()}))
	}
	table := newCSV(f.ctx, out, header)
	err = s.Read(f.export, f.user, func(columns []string, values []any) error {
		f.line(table, columns, values)
		return nil
	})
	if err := errors.Join(err, table.flush()); err != nil {
		return fmt.Errorf("export %s: %w", s.Name, err)
	}
	list, err := f.list(s.Name)
	if err != nil {
		return err
	}
	if err := s.Read(f.export, f.user, list.row); err != nil {
		return err
	}
	return list.end()
}

// line writes one CSV row in the formats of the language's spreadsheets.
func (f accountFile) line(table *csvTable, columns []string, values []any) {
	for i, value := range values {
		switch v := value.(type) {
		case nil:
			table.bare("")
		case time.Time:
			table.bare(csvTime(f.ctx, v))
		case bool:
			table.text(locales.T(f.ctx, map[bool]string{true: "account.export.yes", false: "account.export.no"}[v]))
		case int64:
			if strings.HasSuffix(columns[i], "Cents") {
				table.bare(components.TypedMoney(f.ctx, models.Cents(v), currencyOf(columns, values, columns[i])))
			} else {
				table.bare(fmt.Sprint(v))
			}
		default:
			table.text(fmt.Sprint(v))
		}
	}
	table.endRow()
}

// currencyOf returns the currency of an amount column, read from the same row.
func currencyOf(columns []string, values []any, amount string) string {
	found := ""
	for i, name := range columns {
		if text, ok := values[i].(string); ok && text != "" &&
			(name == "currency" || name == "paidCurrency" && amount == "paidCents") {
			found = text
		}
	}
	return found
}

// transactions writes the entries: as CSV like /history.csv, and as JSON like the API.
func (f accountFile) transactions() error {
	out, err := f.entry("csv/" + transactionsName + ".csv")
	if err != nil {
		return err
	}
	if err := writeHistory(f.ctx, out, f.export); err != nil {
		return err
	}
	if err := f.export.Rewind(); err != nil {
		return err
	}
	list, err := f.list(transactionsName)
	if err != nil {
		return err
	}
	columns := []string{"id", "createdAt", "reason", "deltaCredits", "balanceAfter", "purchaseId", "purchaseNumber",
		"holdId", "note",
		"metadata"}
	for {
		lines, err := f.export.Next()
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			return list.end()
		}
		for _, e := range lines {
			err := list.row(columns, []any{e.ID, e.CreatedAt, string(e.Reason), int64(e.DeltaCredits), int64(e.BalanceAfter),
				e.Meta.PurchaseID, purchaseNumber(e), e.Meta.HoldID,
				e.Meta.Note, string(e.Meta.RequestMetadata)})
			if err != nil {
				return err
			}
		}
	}
}

// jsonList streams a JSON array of objects.
type jsonList struct {
	out  io.Writer
	rows int
}

func (f accountFile) list(name string) (*jsonList, error) {
	out, err := f.entry("json/" + name + ".json")
	return &jsonList{out: out}, err
}

func (l *jsonList) row(columns []string, values []any) error {
	object := map[string]any{}
	for i, name := range columns {
		object[name] = values[i]
		if text, ok := values[i].(string); ok && (name == "metadata" || name == "detail") { // already JSON
			object[name] = nil
			if json.Valid([]byte(text)) {
				object[name] = json.RawMessage(text)
			}
		}
		if values[i] == "" {
			object[name] = nil
		}
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return err
	}
	separator := ",\n"
	if l.rows == 0 {
		separator = "[\n"
	}
	l.rows++
	_, err = io.WriteString(l.out, separator+string(raw))
	return err
}

func (l *jsonList) end() error {
	text := "\n]\n"
	if l.rows == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(l.out, text)
	return err
}
