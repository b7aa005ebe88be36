package admin

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// refundBudget is how long an admin waits for Stripe. What takes longer is sent on by the worker.
const refundBudget = 8 * time.Second

// Refund is money of one purchase that an admin gives back.
type Refund struct {
	ActorID    int64
	PurchaseID uuid.UUID
	Cents      models.Cents // 1 to what is left of the payment, in its currency
	Seen       models.Cents // refunded or on its way when the form was rendered
	Waiting    bool         // the purchase waited for a person when the form was rendered
	Note       string       // why; kept in the audit log
	Key        string       // idempotency key of the form
	RequestID  string
}

// Refund writes down who gives how much back and why, then asks Stripe to do it. The credits that it takes are booked
// from Stripe's answer and events, as for a refund made at Stripe.
//
// Units: cents. Locks: the purchase, then the admin and the user, the lower id first; none across the network.
// Idempotent: by purchase and key. Errors: those of purchase.RequestRefund; fault.Invalid for a missing or long note.
// That Stripe refused, or has not answered, is in the request's status.
func (s *Service) Refund(ctx context.Context, r Refund) (models.RefundRequest, error) {
	r.Note = strings.TrimSpace(r.Note)
	if err := CheckNote(r.Note); err != nil {
		return models.RefundRequest{}, err
	}
	if r.Key == "" {
		return models.RefundRequest{}, fault.Because(fault.Malformed, fault.KeyMissing)
	}
	var request models.RefundRequest
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		made, p, replayed, err := purchase.RequestRefund(tx, purchase.RefundOrder{
			PurchaseID: r.PurchaseID, ActorID: r.ActorID, Cents: r.Cents, Seen: r.Seen, Waiting: r.Waiting, Note: r.Note, Key: r.Key,
		}, s.Purchase.Now())
		request = made
		if err != nil || replayed {
			return err
		}
		return auditRefund(tx, r, p, request)
	})
	if err != nil {
		return models.RefundRequest{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, refundBudget)
	defer cancel()
	return s.Purchase.SendRefund(ctx, request)
}

func auditRefund(tx models.Tx, r Refund, p models.Purchase, request models.RefundRequest) error {
	return models.AppendAudit(tx, models.AuditEvent{ActorID: r.ActorID, Action: models.ActionPurchaseRefund, UserID: p.UserID, RequestID: r.RequestID,
		Detail: map[string]any{"cents": r.Cents, "currency": p.PaymentCurrency(), "note": r.Note, "purchase_id": p.ID, "refund_request": request.ID}})
}
