package handlers

import (
	"encoding/json"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/limit"
)

// anyObject is a JSON object that the caller defines.
type anyObject struct{ json.RawMessage }

// Schema documents it.
func (anyObject) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
}

// spendRequest names a feature and never an amount.
type spendRequest struct {
	UserRef
	CreateUser bool      `json:"createUser,omitempty" doc:"With email: create an account if the address has none. You confirm that the address is verified. The account remains even if credits are missing."`
	Feature    string    `json:"feature" maxLength:"100" doc:"What the credits are spent on, as listed by GET /api/features. The price comes from there; no amount can be sent."`
	ReturnURL  string    `json:"returnUrl,omitempty" maxLength:"500" doc:"If credits are missing: where the user continues after buying them. purchaseUrl then contains it. An address of this server, of Resume Matcher or of a site in RETURN_ORIGINS."`
	Metadata   anyObject `json:"metadata,omitempty" doc:"Your own object, stored with the transaction, 8 KiB at most."`
}

type spendInput struct {
	Key  string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"1 to 255 characters of your choice. The same key and request return the first answer and deduct once, without a time limit; the same key with a different request is a conflict. Required with a service key; without it, a session spends again each time."`
	Body spendRequest
}

// spent is the answer to a spend. It is built from the stored entry alone, so that a repeat returns equal bytes.
type spent struct {
	TransactionID  int64          `json:"transactionId" doc:"The transaction in the user's history."`
	DeltaCredits   models.Credits `json:"deltaCredits" doc:"What was deducted: a negative number."`
	CreditsBalance models.Credits `json:"creditsBalance" doc:"The user's balance after it."`
}

type spentOutput struct {
	Replayed string `header:"Idempotent-Replayed" enum:"true" doc:"Sent with a replayed answer: the request was carried out before, and not again."`
	Body     spent
}

// replayed is the header that distinguishes a repeated answer from the first.
func replayed(again bool) string {
	if again {
		return "true"
	}
	return ""
}

// balance is what a user has.
type balance struct {
	CreditsBalance   models.Credits `json:"creditsBalance" doc:"The sum of the user's transactions. Negative only after a refund or dispute of credits already spent."`
	HeldCredits      models.Credits `json:"heldCredits" doc:"Credits in open holds."`
	AvailableCredits models.Credits `json:"availableCredits" doc:"What can be spent now: balance minus held."`
}

type balanceOutput struct{ Body balance }

type balanceInput struct{ UserRef }

type historyInput struct {
	UserRef
	Cursor int64 `query:"cursor" minimum:"1" doc:"nextCursor of the previous page; the newest transactions if omitted."`
	Limit  int64 `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most transactions to return."`
}

// transaction is one entry of a user's history.
type transaction struct {
	TransactionID  int64          `json:"transactionId" doc:"Increases over time."`
	DeltaCredits   models.Credits `json:"deltaCredits" doc:"Credits in (positive) or out (negative), never 0."`
	Reason         models.Reason  `json:"reason" doc:"purchase, refund, dispute, manual, or the feature that was used."`
	CreditsBalance models.Credits `json:"creditsBalance" doc:"The user's balance after this transaction."`
	Metadata       anyObject      `json:"metadata" doc:"What the caller sent with a spend; null if nothing."`
	CreatedAt      string         `json:"createdAt" format:"date-time" doc:"When it was recorded, in UTC."`
}

// transactions is one page of entries.
type transactions struct {
	Transactions []transaction `json:"transactions" nullable:"false" doc:"Newest first."`
	NextCursor   *string       `json:"nextCursor" doc:"The cursor of the next page; null on the last."`
}

type transactionsOutput struct{ Body transactions }

var balanceCall = call{
	Operation: huma.Operation{
		OperationID: "getBalance", Tags: []string{tagCredits}, Summary: "Read a balance",
		Description: "The balance, what is held, and what can be spent.",
	},
	access:  access{session: true, scope: models.ScopeRead},
	samples: balanceSamples,
}

var transactionsCall = call{
	Operation: huma.Operation{
		OperationID: "listTransactions", Tags: []string{tagCredits}, Summary: "List transactions",
		Description: "Every transaction of the user, newest first. Each page has the cursor of the next one.",
	},
	access:  access{session: true, scope: models.ScopeRead},
	samples: historySamples,
}

var spendCall = call{
	Operation: huma.Operation{
		OperationID: "spendCredits", Tags: []string{tagCredits}, DefaultStatus: fiber.StatusCreated,
		Summary: "Spend credits on a feature", Errors: []int{fiber.StatusPaymentRequired},
		Description: "Deducts what the feature costs, once per idempotency key, or refuses and deducts nothing.",
	},
	access:  access{session: true, scope: models.ScopeSpend, limit: limit.Spend},
	samples: spendSamples,
}

// readBalance is GET /api/credits/balance.
func (h *Handler) readBalance(c *fiber.Ctx, in *balanceInput) (*balanceOutput, error) {
	userID, err := h.subject(c, in.UserRef)
	if err != nil {
		return nil, err
	}
	account := currentVisitor(c).account
	if account == nil {
		read, err := h.Auth.Account(c.UserContext(), userID)
		if err != nil {
			return nil, err
		}
		account = &read
	}
	return &balanceOutput{balance{account.CreditsBalance, account.CreditsHeld, account.Available()}}, nil
}

// listTransactions is GET /api/credits/transactions.
func (h *Handler) listTransactions(c *fiber.Ctx, in *historyInput) (*transactionsOutput, error) {
	userID, err := h.subject(c, in.UserRef)
	if err != nil {
		return nil, err
	}
	page, err := h.Ledger.History(c.UserContext(), userID, in.Cursor, int(in.Limit))
	if err == nil && len(page.Entries) == 0 { // a user without entries, or no user
		_, err = h.Auth.Account(c.UserContext(), userID)
	}
	if err != nil {
		return nil, err
	}
	out := &transactionsOutput{transactions{Transactions: make([]transaction, 0, len(page.Entries))}}
	for _, e := range page.Entries {
		out.Body.Transactions = append(out.Body.Transactions, transaction{e.ID, e.DeltaCredits, e.Reason, e.BalanceAfter,
			anyObject{e.Meta.RequestMetadata}, e.CreatedAt.UTC().Format(apiTime)})
	}
	if page.Next != 0 {
		next := strconv.FormatInt(page.Next, 10)
		out.Body.NextCursor = &next
	}
	return out, nil
}

// apiTime formats a time in UTC to the microsecond, the database's precision.
const apiTime = "2006-01-02T15:04:05.000000Z"

// spendCredits is POST /api/credits/spend.
func (h *Handler) spendCredits(c *fiber.Ctx, in *spendInput) (*spentOutput, error) {
	if err := requireKey(c, in.Key); err != nil {
		return nil, err
	}
	back, err := h.returnURL(in.Body.ReturnURL)
	if err != nil {
		return nil, err
	}
	request, err := requestOf(c, in.Body.UserRef, in.Body.CreateUser)
	if err != nil {
		return nil, err
	}
	request.Feature, request.Key, request.Metadata = in.Body.Feature, in.Key, in.Body.Metadata.RawMessage
	posted, err := h.Spend.Spend(c.UserContext(), request)
	if err != nil {
		return nil, comingBack(err, back)
	}
	return &spentOutput{replayed(posted.Replayed), spent{posted.ID, posted.DeltaCredits, posted.BalanceAfter}}, nil
}
