package admin

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// Refund gives back a part or all of a purchase's payment.
type Refund struct {
	ActorID    int64
	PurchaseID uuid.UUID
	Cents      models.Cents // 1 to the rest of the payment, in its currency
	Seen       models.Cents // refunded or pending when the form was rendered
	Waiting    bool         // the form showed the purchase under review
	Note       string       // the reason, for the audit log
	Key        string       // idempotency key of the form
	RequestID  string
}

// Refund stores a refund request and its audit entry, then sends the request to Stripe. The credits are taken when
// Stripe's answer or events are booked, as for a refund made in Stripe's dashboard. The returned status says whether
// Stripe made or refused the refund, or has not answered.
//
// Units: cents. Locks: the purchase, then the admin and the user, the lower id first; none across the network.
// Idempotent: by purchase and key. Errors: those of purchase.RequestRefund; fault.Invalid for a missing or long note.
// Once the request is stored, no error follows.
func (s *Service) Refund(ctx context.Context, r Refund) (models.RefundRequest, error) {
	r.Note = strings.TrimSpace(r.Note)
	if err := CheckNote(r.Note); err != nil {
		return models.RefundRequest{}, err
	}
	if r.Key == "" {
		return models.RefundRequest{}, fault.Because(fault.Malformed, fault.KeyMissing)
	}
	var request models.RefundRequest
	err := postgres.Confirmed(ctx, s.DB, func(tx models.Tx) error {
		made, p, replayed, err := purchase.RequestRefund(tx, purchase.RefundOrder{
			PurchaseID: r.PurchaseID, ActorID: r.ActorID, Cents: r.Cents, Seen: r.Seen, Waiting: r.Waiting,
			Note: r.Note, Key: r.Key,
		}, s.Purchase.Now())
		request = made
		if err != nil || replayed {
			return err
		}
		return auditRefund(tx, r, p, request)
	}, ledger.Audited)
	if err != nil {
		return models.RefundRequest{}, err
	}
	return s.Purchase.SendRefundNow(ctx, request), nil
}

// PreviewRefund returns the purchase whose payment a refund would give back, without refunding it.
//
// Errors: as Refund, except for the key.
func (s *Service) PreviewRefund(ctx context.Context, r Refund) (PurchasePage, error) {
	if err := CheckNote(r.Note); err != nil {
		return PurchasePage{}, err
	}
	p, err := s.PurchasePage(ctx, r.PurchaseID.String())
	switch {
	case err != nil:
	case p.PaidAt == nil || p.PaymentIntentID == "":
		err = fault.Because(fault.Conflict, fault.NothingPaid)
	case p.Refunded != r.Seen:
		err = fault.Because(fault.Conflict, fault.RefundedSince)
	case r.Cents < 1 || r.Cents > p.Left():
		err = fault.Field("amount", fault.RefundRange)
	}
	return p, err
}

func auditRefund(tx models.Tx, r Refund, p models.Purchase, request models.RefundRequest) error {
	return models.AppendAudit(tx, models.AuditEvent{
		ActorID: r.ActorID, Action: models.ActionPurchaseRefund, UserID: p.UserID, RequestID: r.RequestID,
		Detail: map[string]any{
			"cents": r.Cents, "currency": p.PaymentCurrency(), "note": r.Note, "purchase_id": p.ID, "refund_request": request.ID,
		},
	})
}
