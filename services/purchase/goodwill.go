package purchase

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Goodwill is the operator's policy of refunding unused credits on request, which the law does not require. The zero
// value refunds none.
type Goodwill struct {
	Days    int // after the payment within which buyers may ask; 0 for never
	Percent int // of the purchase's credits that must be unused, from 1 to 100
}

// GoodwillOrder is a buyer's request for the refund of unused credits.
type GoodwillOrder struct {
	UserID     int64
	PurchaseID string
	Seen       models.RefundOffer // on the form
	Key        string             // idempotency key of the form
}

// Offer returns what the buyer of a purchase gets back on request now.
func (s *Service) Offer(ctx context.Context, d Detail) (models.RefundOffer, error) {
	return s.offer(s.DB.WithContext(ctx), d)
}

func (s *Service) offer(db *gorm.DB, d Detail) (models.RefundOffer, error) {
	if s.Goodwill.Days == 0 {
		return models.RefundOffer{}, nil
	}
	var buyer struct {
		models.User `gorm:"embedded"`
		Withdrawn   bool
	}
	err := db.Raw(`SELECT credits_balance, credits_held,
			EXISTS (SELECT FROM withdrawals WHERE purchase_id = @id AND handled_at IS NULL) AS withdrawn
		FROM users WHERE id = @user AND deleted_at IS NULL`,
		map[string]any{"id": d.ID, "user": d.UserID}).Scan(&buyer).Error
	if err != nil {
		return models.RefundOffer{}, fmt.Errorf("offer a refund of purchase %s: %w", d.ID, err)
	}
	if buyer.Withdrawn {
		return models.RefundOffer{}, nil
	}
	return s.Goodwill.Offer(d, buyer.Available(), s.Now()), nil
}

// Offer returns what the buyer of a purchase without a declaration of withdrawal gets back, given the credits that they
// can spend. Within the withdrawal period there is no offer, because a withdrawal may return more. Nor is there one
// while another refund or a dispute is open, or once Stripe has refused the last refund.
func (g Goodwill) Offer(d Detail, available models.Credits, now time.Time) models.RefundOffer {
	switch {
	case g.Days == 0 || d.Status != models.PurchasePaid || d.PaidAt == nil,
		now.Before(PeriodEnd(d.CreatedAt)), !now.Before(d.PaidAt.AddDate(0, 0, g.Days)),
		slices.ContainsFunc(d.Disputes, models.StripeDispute.MayTake),
		slices.Contains(d.WaitingFor, WaitRefundSend),
		len(d.Requests) > 0 && d.Requests[len(d.Requests)-1].Status == models.RefundRefused,
		int64(d.Unused(available))*100 < int64(d.CreditsGranted)*int64(g.Percent):
		return models.RefundOffer{}
	}
	cents := d.Proposal(available)
	if cents == 0 {
		return models.RefundOffer{}
	}
	return models.RefundOffer{Credits: d.CreditsForRefund(cents), Cents: cents}
}

// RefundUnused refunds a purchase's unused credits to its buyer, as RequestUnused, and sends the request to Stripe.
//
// Errors: those of RequestUnused. Once the request is stored, no error follows.
func (s *Service) RefundUnused(ctx context.Context, o GoodwillOrder) (models.RefundRequest, error) {
	request, err := s.RequestUnused(ctx, o)
	if err != nil {
		return request, err
	}
	return s.SendRefundNow(ctx, request), nil
}

// RequestUnused stores the request for a refund of a purchase's unused credits, which the worker sends. They are held
// from then on, so that they cannot be spent, until the refund has taken them or Stripe has refused it.
//
// Locks: the payment, the purchase, the user, the hold. Idempotent: by purchase and key.
// Errors: fault.NotFound; fault.Conflict with fault.GoodwillOver when nothing is offered, or with fault.GoodwillChanged
// when another amount is.
func (s *Service) RequestUnused(ctx context.Context, o GoodwillOrder) (request models.RefundRequest, err error) {
	if o.Key == "" {
		return request, fault.Because(fault.Malformed, fault.KeyMissing)
	}
	if err := ledger.CheckKey(o.Key); err != nil {
		return request, err
	}
	p, err := s.Purchase(ctx, o.UserID, o.PurchaseID)
	if err != nil {
		return request, err
	}
	err = postgres.Confirmed(ctx, s.DB, func(tx models.Tx) (err error) {
		request, err = s.requestUnused(tx, p, o)
		return err
	}, ledger.Audited)
	if err != nil {
		return models.RefundRequest{}, err
	}
	return request, nil
}

func (s *Service) requestUnused(tx models.Tx, p models.Purchase, o GoodwillOrder) (models.RefundRequest, error) {
	var none models.RefundRequest
	locked, err := LockForDecision(tx, p.ID)
	if err != nil {
		return none, err
	}
	if locked.UserID != o.UserID {
		return none, fault.New(fault.NotFound, nil)
	}
	key := "goodwill:" + o.Key // never that of an admin's or a withdrawal's refund
	if earlier, err := requestByKey(tx, p.ID, key); err != nil || earlier != nil {
		return valueOf(earlier), err
	}
	if _, err := endPeriodHold(tx, *locked); err != nil { // nothing is offered before the period's end
		return none, err
	}
	if _, err := ledger.Lock(tx, o.UserID); err != nil {
		return none, err
	}
	d, err := (&Service{DB: tx.DB}).Detail(tx.Statement.Context, p.ID.String())
	if err != nil {
		return none, err
	}
	offer, err := s.offer(tx.DB, d)
	switch {
	case err != nil:
		return none, err
	case offer == models.RefundOffer{}:
		return none, fault.Because(fault.Conflict, fault.GoodwillOver)
	case offer != o.Seen:
		return none, fault.Because(fault.Conflict, fault.GoodwillChanged)
	}
	reserved, err := hold(tx, d.Purchase, models.ReasonRefund, offer.Credits)
	if err != nil {
		return none, err
	}
	request, _, _, err := RequestRefund(tx, RefundOrder{PurchaseID: p.ID, Cents: offer.Cents, Seen: d.Refunded, Key: key,
		Hold: &reserved}, s.Now())
	if err != nil {
		return none, err
	}
	return request, models.AppendAudit(tx, models.AuditEvent{Action: models.ActionPurchaseRefund, UserID: o.UserID,
		Detail: map[string]any{"cents": offer.Cents, "currency": d.PaymentCurrency(), "purchase_id": p.ID,
			"refund_request": request.ID}})
}

// valueOf returns what r points to, or the zero value.
func valueOf(r *models.RefundRequest) (value models.RefundRequest) {
	if r != nil {
		value = *r
	}
	return value
}
