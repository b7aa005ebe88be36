package handlers

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/layouts"
)

// flashes are the messages that one page may store for the next, and their kinds. The texts are flash.<name>. A fault
// whose problem has such a name is shown as that message where redirectAfter ends the action.
var flashes = map[string]layouts.FlashKind{
	"signed_out":            layouts.FlashDone,
	"signed_out_everywhere": layouts.FlashDone,
	"sign_in_canceled":      layouts.FlashNotice,
	"session_over":          layouts.FlashNotice,

	"linked":          layouts.FlashDone,
	"already_linked":  layouts.FlashDone,
	"unlinked":        layouts.FlashDone,
	"last_identity":   layouts.FlashFault,
	"confirmed":       layouts.FlashDone,
	"not_present":     layouts.FlashFault,
	"identity_taken":  layouts.FlashFault,
	"identity_other":  layouts.FlashFault,
	"identity_limit":  layouts.FlashFault,
	"address_taken":   layouts.FlashFault,
	"address_other":   layouts.FlashFault,
	"sign_in_expired": layouts.FlashFault,
	"sign_in_failed":  layouts.FlashFault,
	"purpose_session": layouts.FlashFault,

	"profile_saved":   layouts.FlashDone,
	"session_ended":   layouts.FlashDone,
	"account_deleted": layouts.FlashDone,

	flashPaying: layouts.FlashNotice,

	"goodwill_sent":    layouts.FlashDone,
	"goodwill_pending": layouts.FlashDone,
	"goodwill_refused": layouts.FlashFault,
	"goodwill_over":    layouts.FlashFault,
	"credits_usable":   layouts.FlashDone,
	"nothing_held":     layouts.FlashFault,

	"granted":               layouts.FlashDone,
	"corrected":             layouts.FlashDone,
	"access_relink":         layouts.FlashDone,
	"access_right":          layouts.FlashDone,
	"access_sessions":       layouts.FlashDone,
	"purchase_moved":        layouts.FlashDone,
	"decided_book":          layouts.FlashDone,
	"decided_foreign":       layouts.FlashDone,
	"decided_share":         layouts.FlashDone,
	"decided_close":         layouts.FlashDone,
	"review_over":           layouts.FlashNotice,
	"withdrawal_closed":     layouts.FlashDone,
	"withdrawal_refunded":   layouts.FlashDone,
	"withdrawal_reopened":   layouts.FlashDone,
	"withdrawal_unclear":    layouts.FlashFault,
	"key_revoked":           layouts.FlashDone,
	"webhook_disable":       layouts.FlashDone,
	"webhook_enable":        layouts.FlashDone,
	"webhook_remove":        layouts.FlashDone,
	"webhook_test":          layouts.FlashDone,
	"webhook_replay":        layouts.FlashDone,
	"letters_saved":         layouts.FlashDone,
	"letter_settings_saved": layouts.FlashDone,
	"letter_retried":        layouts.FlashDone,
	"letters_retried":       layouts.FlashDone,
	"letter_closed":         layouts.FlashDone,
	"feature_set":           layouts.FlashDone,
	"retried":               layouts.FlashDone,
	"resumes_retried":       layouts.FlashDone,
	"reconciling":           layouts.FlashDone,

	"refund_succeeded":       layouts.FlashDone,
	"refund_pending":         layouts.FlashDone,
	"refund_requires_action": layouts.FlashDone,
	"refund_failed":          layouts.FlashFault,
	"refund_canceled":        layouts.FlashFault,
	"refund_refused":         layouts.FlashFault,
	"refund_unanswered":      layouts.FlashFault,

	"check_booked": layouts.FlashDone,
	"check_unpaid": layouts.FlashDone,
	"check_away":   layouts.FlashFault,
	"check_review": layouts.FlashFault,
}

// flashNumbers names the numbers in messages: credits, or the count that chooses the plural form.
var flashNumbers = map[string][]string{
	"check_booked": {flashCount},
	"granted":      {"credits", "balance"},
	"corrected":    {"credits", "balance"},

	"refund_succeeded":       {"credits"},
	"refund_pending":         {"credits"},
	"refund_requires_action": {"credits"},
}

const (
	flashCookie    = "flash"
	flashPaying    = "paying" // the purchase's page redirects to the payment
	flashCount     = "count"
	flashSeparator = "." // separates a name from its numbers
)

// setFlash stores the name of a message for the next page, so that a tampered cookie can only show texts of ours.
func (h *Handler) setFlash(c *fiber.Ctx, name string) {
	h.Sessions.setCookie(c, h.Sessions.cookieName(flashCookie), name, 60)
}

// numberedFlash adds its numbers to the name of a message. It returns the name of a message without numbers as it is.
func numberedFlash(name string, numbers ...int64) string {
	if len(flashNumbers[name]) == 0 {
		return name
	}
	for _, n := range numbers {
		name += flashSeparator + strconv.FormatInt(n, 10)
	}
	return name
}

// popFlash returns the stored message, if any, and clears the cookie.
func (h *Handler) popFlash(c *fiber.Ctx) *layouts.Flash {
	cookie := h.Sessions.cookieName(flashCookie)
	stored := c.Cookies(cookie)
	if stored == "" {
		return nil
	}
	h.Sessions.setCookie(c, cookie, "", -1)
	return parseFlash(c.UserContext(), stored)
}

// parseFlash returns a stored message in the language of ctx; nil for what numberedFlash never returns.
func parseFlash(ctx context.Context, stored string) *layouts.Flash {
	parts := strings.Split(stored, flashSeparator)
	name, numbers := parts[0], parts[1:]
	kind, ok := flashes[name]
	if !ok || len(numbers) != len(flashNumbers[name]) {
		return nil
	}
	args, key := locales.Args{}, "flash."+name
	text := func() string { return locales.T(ctx, key, args) }
	for i, number := range numbers {
		n, err := strconv.ParseInt(number, 10, 32)
		switch argument := flashNumbers[name][i]; {
		case err != nil:
			return nil
		case argument == flashCount:
			text = func() string { return locales.N(ctx, key, n, args) }
		default:
			args[argument] = components.CreditAmount(ctx, models.Credits(n))
		}
	}
	return &layouts.Flash{Kind: kind, Text: text()}
}
