package handlers

import (
	"bytes"
	"encoding/json"
	"mime"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/spend"
)

const headerKey = "Idempotency-Key"

// createCheckout is POST /api/checkout. The caller names a price and a quantity, never an amount.
func (h *Handler) createCheckout(c *fiber.Ctx) error {
	var in struct {
		PriceID  string          `json:"priceId"`
		Quantity json.RawMessage `json:"quantity"`
		Locale   string          `json:"locale"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	h.ensureLocale(c)
	if in.Locale == "" {
		in.Locale = pageLocale(c)
	}
	key := c.Get(headerKey)
	if key == "" {
		key = randomKey()
	}
	started, err := h.Purchase.Start(c.UserContext(), purchase.Order{
		UserID: currentUserID(c), PriceID: in.PriceID, Quantity: wholeNumber(string(in.Quantity)), Locale: in.Locale, Key: key,
	})
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(fiber.Map{"checkoutUrl": started.URL, "purchaseId": started.PurchaseID})
}

// spendCredits is POST /api/credits/spend. The caller names a feature and never an amount.
func (h *Handler) spendCredits(c *fiber.Ctx) error {
	var in struct {
		Feature  string          `json:"feature"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	posted, err := h.Spend.Spend(c.UserContext(), spend.Request{
		UserID: currentUserID(c), Feature: in.Feature, Key: c.Get(headerKey), Metadata: in.Metadata,
	})
	if err != nil {
		return err
	}
	if posted.Replayed {
		c.Set("Idempotent-Replayed", "true")
	}
	return c.Status(fiber.StatusCreated).JSON(spent{posted.ID, posted.DeltaCredits, posted.BalanceAfter})
}

// spent is the answer to a spend. It is made of the stored line alone, so a repeat gets the same bytes.
type spent struct {
	TransactionID  int64          `json:"transactionId"`
	DeltaCredits   models.Credits `json:"deltaCredits"`
	CreditsBalance models.Credits `json:"creditsBalance"`
}

// balance is GET /api/credits/balance.
func (h *Handler) balance(c *fiber.Ctx) error {
	user := currentUser(c)
	return c.JSON(struct {
		CreditsBalance   models.Credits `json:"creditsBalance"`
		HeldCredits      models.Credits `json:"heldCredits"`
		AvailableCredits models.Credits `json:"availableCredits"`
	}{user.CreditsBalance, user.CreditsHeld, user.Available()})
}

// transactions is GET /api/credits/transactions, newest first.
func (h *Handler) transactions(c *fiber.Ctx) error {
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	limit := int64(50)
	if text := c.Query("limit"); text != "" {
		if limit = wholeNumber(text); limit < 1 || limit > 200 {
			return fault.Field("limit", fault.LimitRange)
		}
	}
	page, err := h.Ledger.History(c.UserContext(), currentUserID(c), cursor, int(limit))
	if err != nil {
		return err
	}
	out := struct {
		Transactions []transactionJSON `json:"transactions"`
		NextCursor   *string           `json:"nextCursor"`
	}{Transactions: make([]transactionJSON, 0, len(page.Entries))}
	for _, e := range page.Entries {
		out.Transactions = append(out.Transactions, transactionJSON{e.ID, e.DeltaCredits, e.Reason, e.BalanceAfter, e.Meta.RequestMetadata,
			e.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000Z")})
	}
	if page.Next != 0 {
		next := strconv.FormatInt(page.Next, 10)
		out.NextCursor = &next
	}
	return c.JSON(out)
}

type transactionJSON struct {
	TransactionID  int64           `json:"transactionId"`
	DeltaCredits   models.Credits  `json:"deltaCredits"`
	Reason         models.Reason   `json:"reason"`
	CreditsBalance models.Credits  `json:"creditsBalance"` // after this line
	Metadata       json.RawMessage `json:"metadata"`
	CreatedAt      string          `json:"createdAt"`
}

// cursorOf reads where a page of the history begins; 0 is the newest.
func cursorOf(c *fiber.Ctx) (int64, error) {
	text := c.Query("cursor")
	if text == "" {
		return 0, nil
	}
	if cursor := wholeNumber(text); cursor > 0 {
		return cursor, nil
	}
	return 0, fault.Field("cursor", fault.CursorInvalid)
}

// readJSON reads the body's one JSON object. Only a page of ours can make a browser send this content type, which is
// why these calls need no token beside the session (sameOrigin checks the rest).
func readJSON(c *fiber.Ctx, into any) error {
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || kind != fiber.MIMEApplicationJSON {
		return fault.Because(fault.Malformed, fault.ContentTypeNotJSON)
	}
	body := bytes.TrimSpace(c.BodyRaw())
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, into) != nil {
		return fault.Because(fault.Malformed, fault.RequestUnderstood)
	}
	return nil
}

// wholeNumber reads plain digits, as many as an int64 holds; anything else is -1, which no range allows.
func wholeNumber(text string) int64 {
	if text == "" || len(text) > 19 {
		return -1
	}
	for _, r := range text {
		if r < '0' || r > '9' {
			return -1
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
