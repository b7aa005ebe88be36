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
	data := pages.AdminWithdrawalsData{Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), ReadOnly: readOnly(c),
		Further: c.Query("after") != ""}
	if next != nil {
		data.Next = fmt.Sprintf("%t.%d.%d.%s", next.Handled, next.Priority, next.Received.UnixMicro(), next.ID)
	}
	for _, w := range rows {
		in, ok := h.Site.Texts.Context(ctx, w.Locale) // the confirmation is in the declaration's language
		if !ok {
			in = ctx
		}
		query := url.Values{"subject": {locales.T(in, "withdrawal.received.title")}, "body": {pages.WithdrawalLetter(in, w)}}
		data.Rows = append(data.Rows, pages.AdminWithdrawal{ListedWithdrawal: w, Mail: pages.MailAddress(w.Email, query)})
	}
	return h.render(c, fiber.StatusOK, "admin_withdrawals.title", pages.AdminWithdrawals(data))
}

// withdrawalCursor parses the cursor of the withdrawals list.
func withdrawalCursor(text string) (after withdrawal.Cursor, err error) {
	if text == "" {
		return after, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return after, fault.Field("after", fault.CursorInvalid)
	}
	priority, micros := parseDigits(parts[1]), parseDigits(parts[2])
	id, err := uuid.Parse(parts[3])
	if parts[0] != "true" && parts[0] != "false" || priority < 0 || priority > int64(models.WithdrawalPriorityFlood) ||
		micros < 0 || micros > lastMoment || err != nil {
		return after, fault.Field("after", fault.CursorInvalid)
	}
	return withdrawal.Cursor{Handled: parts[0] == "true", Priority: models.WithdrawalPriority(priority),
		Received: time.UnixMicro(micros), ID: id}, nil
}

// closeWithdrawal is POST /{locale}/admin/withdrawals/{id}/close.
func (h *Handler) closeWithdrawal(c *fiber.Ctx) error {
	err := h.Withdrawal.Close(c.UserContext(), c.Params("id"), currentUserID(c), requestID(c))
	return h.redirectAfter(c, localPath(c, "/admin/withdrawals"), err, "withdrawal_closed")
}

// refundWithdrawal is POST /{locale}/admin/withdrawals/{id}/refund: it shows what the declaration entitles to and, once
// that is confirmed, refunds it.
func (h *Handler) refundWithdrawal(c *fiber.Ctx) error {
	if !confirmed(c) {
		w, e, err := h.Withdrawal.Refundable(c.UserContext(), c.Params("id"))
		if err != nil {
			return h.redirectAfter(c, localPath(c, "/admin/withdrawals"), err, "")
		}
		return h.summarize(c, pages.WithdrawalSummary(c.UserContext(), w, e))
	}
	err := h.Withdrawal.Refund(c.UserContext(), c.Params("id"), models.Cents(parseDigits(formValue(c, "seen"))),
		currentUserID(c), requestID(c))
	return h.redirectAfter(c, localPath(c, "/admin/withdrawals"), err, "withdrawal_refunded")
}

// reopenWithdrawal is POST /{locale}/admin/withdrawals/{id}/reopen: it undoes the closing.
func (h *Handler) reopenWithdrawal(c *fiber.Ctx) error {
	err := h.Withdrawal.Reopen(c.UserContext(), c.Params("id"), currentUserID(c), requestID(c))
	return h.redirectAfter(c, localPath(c, "/admin/withdrawals"), err, "withdrawal_reopened")
}
