package outbound

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// claimed is a delivery to send, with what its payload and its signature need.
type claimed struct {
	models.WebhookDelivery
	LowThreshold models.Credits
	Secrets      string // sealed, the newest first, separated by spaces

	// of the entry
	DeltaCredits models.Credits
	BalanceAfter models.Credits
	Reason       models.Reason
	Bought       *uuid.UUID // the purchase of the entry
}

// message is the payload of an event. It is the same in every attempt, and contains no name, address or text of a user.
type message struct {
	Type      models.WebhookType `json:"type"`
	Timestamp time.Time          `json:"timestamp"`
	Data      any                `json:"data"`
}

// entryData is the data of credits.*. Its fields are named as in the API.
type entryData struct {
	UserID         int64          `json:"userId"`
	TransactionID  int64          `json:"transactionId"` // grows with each entry of a user, and so orders them
	DeltaCredits   models.Credits `json:"deltaCredits"`
	CreditsBalance models.Credits `json:"creditsBalance"` // after the entry
	Reason         models.Reason  `json:"reason"`
	Feature        *models.Reason `json:"feature"`
	PurchaseID     *uuid.UUID     `json:"purchaseId"`
	// LowThreshold is for credits.low only.
	LowThreshold models.Credits `json:"lowThreshold,omitempty"`
}

// purchaseData is the data of purchase.in_review.
type purchaseData struct {
	UserID     int64     `json:"userId"`
	PurchaseID uuid.UUID `json:"purchaseId"`
}

// body returns the payload.
func (c claimed) body() ([]byte, error) {
	m := message{Type: c.Type, Timestamp: c.CreatedAt.UTC(), Data: struct{}{}}
	switch {
	case c.EntryID != nil && c.UserID != nil:
		data := entryData{UserID: *c.UserID, TransactionID: *c.EntryID, DeltaCredits: c.DeltaCredits,
			CreditsBalance: c.BalanceAfter, Reason: c.Reason, PurchaseID: c.Bought}
		if !models.FixedReason(c.Reason) {
			data.Feature = &c.Reason
		}
		if c.Type == models.WebhookLow {
			data.LowThreshold = c.LowThreshold
		}
		m.Data = data
	case c.PurchaseID != nil && c.UserID != nil:
		m.Data = purchaseData{UserID: *c.UserID, PurchaseID: *c.PurchaseID}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("webhook payload of delivery %d: %w", c.ID, err)
	}
	return body, nil
}

// Example returns the payload of a type as a program receives it, with invented numbers.
func Example(t models.WebhookType) string {
	user, entry := int64(42), int64(8)
	purchase := uuid.MustParse("0190f3a1-b2c3-7d4e-8f60-718293a4b5c6")
	c := claimed{DeltaCredits: -10, BalanceAfter: 490, Reason: models.ReasonResumeAnalysis}
	c.Type, c.CreatedAt = t, time.Date(2026, time.November, 23, 9, 30, 0, 0, time.UTC)
	switch t {
	case models.WebhookTest:
	case models.WebhookReview:
		c.UserID, c.PurchaseID = &user, &purchase
	default:
		c.UserID, c.EntryID = &user, &entry
	}
	body, err := c.body()
	if err != nil {
		panic(err) // the fields are constant: this fails always or never
	}
	return string(body)
}

// messageID is the webhook-id.
func (c claimed) messageID() string { return "msg_" + c.MessageID.String() }
