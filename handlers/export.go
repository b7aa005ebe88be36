package handlers

import (
	"context"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/ledger"
)

const (
	makeBudget  = time.Minute      // to make an exported file
	takeBudget  = 10 * time.Minute // for its reader to take it; writeTimeout, for a part
	maxFileSize = 256 << 20        // bytes; some three million movements
)

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
