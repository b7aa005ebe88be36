package handlers

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// holdRequest names a feature and never an amount.
type holdRequest struct {
	UserRef
	CreateUser bool      `json:"createUser,omitempty" doc:"With email: create an account if the address has none. You confirm that the address is verified. The account remains even if credits are missing."`
	Feature    string    `json:"feature" maxLength:"100" doc:"What the credits are held for, as listed by GET /api/features. The price comes from there; no amount can be sent."`
	TTLSeconds int64     `json:"ttlSeconds,omitempty" minimum:"1" maximum:"86400" doc:"How long the hold lasts: 1 second to 24 hours, 15 minutes if omitted. Then it expires and nothing is deducted."`
	ReturnURL  string    `json:"returnUrl,omitempty" maxLength:"500" doc:"If credits are missing: where the user continues after buying them. purchaseUrl then contains it. An address of this server, of Resume Matcher or of a site in RETURN_ORIGINS."`
	Metadata   anyObject `json:"metadata,omitempty" doc:"Your own object, stored with the hold, 8 KiB at most."`
}

type holdInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" doc:"1 to 255 characters of your choice. The same key and request return the hold as it was created, without a time limit; the same key with a different request is a conflict."`
	Body holdRequest
}

type heldInput struct {
	ID string `path:"id" format:"uuid" doc:"The holdId from the answer that created the hold."`
}

type captureInput struct {
	ID   string `path:"id" format:"uuid" doc:"The holdId from the answer that created the hold."`
	Body *captureRequest
}

// captureRequest may take less than is held.
type captureRequest struct {
	Credits *models.Credits `json:"credits,omitempty" minimum:"1" maximum:"1000000" doc:"How many of the held credits to deduct; all if omitted. The rest is released."`
}

// hold is credits reserved for a feature.
type hold struct {
	HoldID          uuid.UUID         `json:"holdId" format:"uuid" doc:"Identifies the hold in later calls. Only the key that created it can see it."`
	UserID          int64             `json:"userId" doc:"Whose credits they are."`
	Feature         models.Reason     `json:"feature" doc:"What they are held for."`
	Credits         models.Credits    `json:"credits" doc:"How many are held, at the price when the hold was created."`
	CapturedCredits models.Credits    `json:"capturedCredits" doc:"How many of them were deducted: 0 unless captured."`
	Status          models.HoldStatus `json:"status" enum:"open,captured,released,expired" doc:"Every status but open is final."`
	TransactionID   *int64            `json:"transactionId" doc:"The transaction of the capture; null without one."`
	Metadata        anyObject         `json:"metadata" doc:"What was sent when the hold was created."`
	ExpiresAt       string            `json:"expiresAt" format:"date-time" doc:"When the hold expires, in UTC."`
	CreatedAt       string            `json:"createdAt" format:"date-time" doc:"When it was created, in UTC."`
}

type heldOutput struct{ Body hold }

type replayableHold struct {
	Replayed string `header:"Idempotent-Replayed" enum:"true" doc:"Sent with a replayed answer: the request was carried out before, and not again."`
	Body     hold
}

func newHold(h models.Hold) hold {
	return hold{h.ID, h.UserID, h.Feature, h.Credits, h.Captured, h.Status, h.TransactionID, anyObject{h.Metadata},
		h.ExpiresAt.UTC().Format(apiTime), h.CreatedAt.UTC().Format(apiTime)}
}

func replayable(h ledger.Held, err error) (*replayableHold, error) {
	if err != nil {
		return nil, err
	}
	return &replayableHold{replayed(h.Replayed), newHold(h.Hold)}, nil
}

var holdCall = call{
	Operation: huma.Operation{
		OperationID: "holdCredits", Tags: []string{tagHolds}, DefaultStatus: fiber.StatusCreated,
		Summary: "Hold credits", Errors: []int{fiber.StatusPaymentRequired},
		Description: "Reserves what a feature costs before its work begins. Held credits cannot be spent on anything else, and appear as a transaction only once captured.",
	},
	access:  access{scope: models.ScopeSpend},
	samples: holdSamples,
}

var readHoldCall = call{
	Operation: huma.Operation{
		OperationID: "getHold", Tags: []string{tagHolds}, Summary: "Read a hold",
		Description: "The current state of the hold.",
	},
	access:  access{scope: models.ScopeRead},
	samples: readHoldSamples,
}

var captureCall = call{
	Operation: huma.Operation{
		OperationID: "captureHold", Tags: []string{tagHolds}, Summary: "Capture a hold",
		Description: "Deducts the held credits, or fewer, after the work has succeeded. The body is optional. Repeating the call changes nothing and returns the same answer.",
	},
	access:  access{scope: models.ScopeSpend},
	samples: captureSamples,
}

var releaseCall = call{
	Operation: huma.Operation{
		OperationID: "releaseHold", Tags: []string{tagHolds}, Summary: "Release a hold",
		Description: "Releases the held credits after the work has failed. Repeating the call, or calling it after the hold has expired, changes nothing.",
	},
	access:  access{scope: models.ScopeSpend},
	samples: releaseSamples,
}

// holdCredits is POST /api/credits/holds.
func (h *Handler) holdCredits(c *fiber.Ctx, in *holdInput) (*replayableHold, error) {
	back, err := h.returnURL(in.Body.ReturnURL)
	if err != nil {
		return nil, err
	}
	request, err := requestOf(c, in.Body.UserRef, in.Body.CreateUser)
	if err != nil {
		return nil, err
	}
	request.Feature, request.Key, request.Metadata = in.Body.Feature, in.Key, in.Body.Metadata.RawMessage
	held, err := h.Spend.Hold(c.UserContext(), spend.HoldRequest{Request: request,
		TTL: time.Duration(in.Body.TTLSeconds) * time.Second})
	return replayable(held, comingBack(err, back))
}

// readHold is GET /api/credits/holds/{id}.
func (h *Handler) readHold(c *fiber.Ctx, in *heldInput) (*heldOutput, error) {
	found, err := h.Spend.Find(c.UserContext(), caller(c), in.ID)
	if err != nil {
		return nil, err
	}
	return &heldOutput{newHold(found)}, nil
}

// captureHold is POST /api/credits/holds/{id}/capture.
func (h *Handler) captureHold(c *fiber.Ctx, in *captureInput) (*replayableHold, error) {
	var credits *models.Credits
	if in.Body != nil {
		credits = in.Body.Credits
	}
	return replayable(h.Spend.Capture(c.UserContext(), caller(c), in.ID, credits))
}

// releaseHold is POST /api/credits/holds/{id}/release.
func (h *Handler) releaseHold(c *fiber.Ctx, in *heldInput) (*replayableHold, error) {
	return replayable(h.Spend.Release(c.UserContext(), caller(c), in.ID))
}
