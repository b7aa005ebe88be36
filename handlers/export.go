package handlers

import (
	"context"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/ledger"
)

const (
	exportTimeout   = time.Minute      // to make an exported file
	downloadTimeout = 10 * time.Minute // for its reader to take it; writeTimeout, for a part
	maxFileSize     = 256 << 20        // bytes; some three million movements
)

// sendExport sends a file that write makes of the user's entries. It completes the file first, so that a slow reader
// occupies no database connection and no snapshot, and so that a failure becomes an error page instead of half a
// file.
func (h *Handler) sendExport(c *fiber.Ctx, filter ledger.Filter, mime, name string,
	write func(context.Context, io.Writer, *ledger.Export) error) error {
	file, err := newSpool(maxFileSize)
	if err != nil {
		return err
	}
	defer func() {
		if file != nil {
			_ = file.Close() // nothing is sent
		}
	}()
	// A long history exceeds requestBudget.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), exportTimeout)
	defer cancel()
	export, err := h.Ledger.Export(ctx, currentUserID(c), filter)
	if err != nil {
		return err
	}
	defer export.Close()
	if err := write(ctx, file, export); err != nil {
		return err
	}
	size, err := file.sendTo(c.Context().Conn(), downloadTimeout)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, mime)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.Context().SetBodyStream(file, int(size))
	file = nil // the server closes it after sending
	return nil
}
