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
	CreateUser bool      `json:"createUser,omitempty" doc:"With email: create an account if the address has none. You vouch that the address is verified. The account stays, also if credits are missing."`
	Feature    string    `json:"feature" maxLength:"100" doc:"What the credits are held for, as GET /api/features lists it. Its price is ours; no amount can be sent."`
	TTLSeconds int64     `json:"ttlSeconds,omitempty" minimum:"1" maximum:"86400" doc:"How long the hold lasts: 1 second to 24 hours, 15 minutes when left out. Then it expires and nothing was taken."`
	ReturnURL  string    `json:"returnUrl,omitempty" maxLength:"500" doc:"If credits are missing: where the user goes on after buying them. purchaseUrl then carries it. An address of this server, of Resume Matcher or of a site in RETURN_ORIGINS."`
	Metadata   anyObject `json:"metadata,omitempty" doc:"An object of your own that is kept with the hold, 8 KiB at most."`
}

type holdInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" doc:"1 to 255 characters of your choice. The same key and request get the hold as it was made, however often they are sent, for ever; the same key with another request is a conflict."`
	Body holdRequest
}

type heldInput struct {
	ID string `path:"id" format:"uuid" doc:"The holdId of the answer that made the hold."`
}

type captureInput struct {
	ID   string `path:"id" format:"uuid" doc:"The holdId of the answer that made the hold."`
	Body *captureRequest
}

// captureRequest may take less than is held.
type captureRequest struct {
	Credits *models.Credits `json:"credits,omitempty" minimum:"1" maximum:"1000000" doc:"How many of the held credits to take; all of them when left out. The rest is free again."`
}

// hold is credits reserved for a feature.
type hold struct {
	HoldID          uuid.UUID         `json:"holdId" format:"uuid" doc:"Names the hold in later calls. Only the key that made it can see it."`
	UserID          int64             `json:"userId" doc:"Whose credits they are."`
	Feature         models.Reason     `json:"feature" doc:"What they are held for."`
	Credits         models.Credits    `json:"credits" doc:"How many are held, at the price of the moment in which the hold was made."`
	CapturedCredits models.Credits    `json:"capturedCredits" doc:"How many of them were taken: 0 unless captured."`
	Status          models.HoldStatus `json:"status" enum:"open,captured,released,expired" doc:"Every status but open is final."`
	TransactionID   *int64            `json:"transactionId" doc:"The movement of the capture; null without one."`
	Metadata        anyObject         `json:"metadata" doc:"What was said when the hold was made."`
	ExpiresAt       string            `json:"expiresAt" format:"date-time" doc:"From then on the hold is expired, in UTC."`
	CreatedAt       string            `json:"createdAt" format:"date-time" doc:"When it was made, in UTC."`
}

type heldOutput struct{ Body hold }

type replayableHold struct {
	Replayed string `header:"Idempotent-Replayed" enum:"true" doc:"Sent with a repeated answer: the request was carried out before, and not again."`
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
		Description: "Reserves what a feature costs before its work begins. Held credits cannot be spent otherwise, and no entry is made until they are captured.",
	},
	access:  access{scope: models.ScopeSpend},
	samples: holdSamples,
}

var readHoldCall = call{
	Operation: huma.Operation{
		OperationID: "getHold", Tags: []string{tagHolds}, Summary: "Read a hold",
		Description: "The hold as it stands now.",
	},
	access:  access{scope: models.ScopeRead},
	samples: readHoldSamples,
}

var captureCall = call{
	Operation: huma.Operation{
		OperationID: "captureHold", Tags: []string{tagHolds}, Summary: "Capture a hold",
		Description: "Takes the held credits, or fewer, after the work has succeeded. The body may be left out. Sent again it changes nothing and gets the same answer.",
	},
	access:  access{scope: models.ScopeSpend},
	samples: captureSamples,
}

var releaseCall = call{
	Operation: huma.Operation{
		OperationID: "releaseHold", Tags: []string{tagHolds}, Summary: "Release a hold",
		Description: "Gives the held credits back after the work has failed. Sent again, or after the hold expired, it changes nothing.",
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
