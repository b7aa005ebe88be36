package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/views/pages"
)

const withdrawalsPerPage = 50

// showWithdrawals is GET /{locale}/admin/withdrawals.
func (h *Handler) showWithdrawals(c *fiber.Ctx) error {
	ctx := c.UserContext()
	after, err := withdrawalCursor(c.Query("after"))
	if err != nil {
		return err
	}
	rows, next, err := h.Withdrawal.List(ctx, after, withdrawalsPerPage)
	if err != nil {
		return err
	}
	data := pages.AdminWithdrawalsData{Locale: pageLocale(c), CSRF: currentVisitor(c).token, Further: c.Query("after") != ""}
	if next != nil {
		data.Next = fmt.Sprintf("%t.%d.%d.%s", next.Handled, next.Priority, next.Received.UnixMicro(), next.ID)
	}
	for _, w := range rows {
		in, ok := h.Site.Texts.Context(ctx, w.Locale) // the answer is in the language of the declaration
		if !ok {
			in = ctx
		}
		query := url.Values{"subject": {locales.T(in, "withdrawal.received.title")}, "body": {pages.WithdrawalLetter(in, w)}}
		data.Rows = append(data.Rows, pages.AdminWithdrawal{ListedWithdrawal: w, Mail: pages.MailAddress(w.Email, query)})
	}
	return h.render(c, fiber.StatusOK, "admin_withdrawals.title", pages.AdminWithdrawals(data))
}

// withdrawalCursor reads where a page of withdrawals begins.
func withdrawalCursor(text string) (after withdrawal.Cursor, err error) {
	if text == "" {
		return after, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return after, fault.Field("after", fault.CursorInvalid)
	}
	priority, micros := wholeNumber(parts[1]), wholeNumber(parts[2])
	id, err := uuid.Parse(parts[3])
	if parts[0] != "true" && parts[0] != "false" || priority < 0 || priority > int64(models.WithdrawalOfFlood) || micros < 0 || micros > lastMoment || err != nil {
		return after, fault.Field("after", fault.CursorInvalid)
	}
	return withdrawal.Cursor{Handled: parts[0] == "true", Priority: models.WithdrawalPriority(priority), Received: time.UnixMicro(micros), ID: id}, nil
}

// closeWithdrawal is POST /{locale}/admin/withdrawals/{id}/close.
func (h *Handler) closeWithdrawal(c *fiber.Ctx) error {
	if err := h.Withdrawal.Close(c.UserContext(), c.Params("id"), currentUserID(c), requestID(c)); err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, "withdrawal_closed")
	return leave(c, "/"+pageLocale(c)+"/admin/withdrawals")
}
