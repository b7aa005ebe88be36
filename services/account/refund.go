package account

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// maxRefundable bounds the purchases that a deletion refunds. The rest of the credits lapses.
const maxRefundable = 50

// Refundable is a purchase whose unused credits the buyer can have refunded before deleting the account: by a
// withdrawal within the withdrawal period, else as goodwill.
type Refundable struct {
	models.Purchase
	Withdraw bool
	Offer    models.RefundOffer

	requests int // for refunds, so far
}

// refundables lists what can be refunded to a user, the newest purchase first. Each unused credit counts once.
func (s *Service) refundables(ctx context.Context, user models.User) ([]Refundable, error) {
	since := s.Now().AddDate(0, 0, -max(purchase.WithdrawalDays+1, s.Purchase.Goodwill.Days))
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Raw(`SELECT id FROM purchases p WHERE user_id = ? AND status = 'paid' AND paid_cents > 0
			AND greatest(created_at, paid_at) >= ? AND credits_granted > credits_refunded + credits_disputed
			AND NOT EXISTS (SELECT FROM withdrawals WHERE purchase_id = p.id)
		ORDER BY created_at DESC, id LIMIT ?`, user.ID, since, maxRefundable).Scan(&ids).Error
	if err != nil {
		return nil, fmt.Errorf("refundable purchases of user %d: %w", user.ID, err)
	}
	details, err := s.Purchase.Details(ctx, ids)
	if err != nil {
		return nil, err
	}
	var all []Refundable
	available := user.Available()
	for _, id := range ids {
		d := details[id]
		r := Refundable{Purchase: d.Purchase, requests: len(d.Requests)}
		r.Withdraw = s.Withdrawal.Withdrawable(d.Purchase) && user.Email != ""
		if r.Withdraw {
			e := s.Withdrawal.Preview(d, available)
			r.Offer = models.RefundOffer{Credits: e.Unused, Cents: e.Cents}
		} else {
			r.Offer = s.Purchase.Goodwill.Offer(d, available, s.Now())
		}
		if r.Offer.Cents > 0 {
			all = append(all, r)
			available -= max(r.Offer.Credits-d.Held.Credits, 0)
		}
	}
	return all, nil
}

// RefundOrder is a user's wish to be refunded before the account is deleted.
type RefundOrder struct {
	UserID int64
	Seen   []models.RefundOffer // as DeletionPreview listed them
	Locale string
	Sender string // of a declaration of withdrawal

	// Contract describes a purchase as the contract that its buyer withdraws from.
	Contract func(p models.Purchase) string
}

// Refund requests the refunds that DeletionPreview lists. Workers send them, also once the account is deleted.
//
// Locks: those of each request, in separate transactions. Idempotent: a repeat requests what is left.
// Errors: fault.Conflict with fault.GoodwillChanged when other refunds are offered than o.Seen, or with
// fault.DeletionDispute.
func (s *Service) Refund(ctx context.Context, o RefundOrder) error {
	preview, err := s.PreviewDeletion(ctx, o.UserID)
	switch {
	case err != nil:
		return err
	case preview.Disputed:
		return fault.Because(fault.Conflict, fault.DeletionDispute)
	case len(preview.Refunds) != len(o.Seen):
		return fault.Because(fault.Conflict, fault.GoodwillChanged)
	}
	for i, r := range preview.Refunds {
		if r.Offer != o.Seen[i] {
			return fault.Because(fault.Conflict, fault.GoodwillChanged)
		}
	}
	for _, r := range preview.Refunds {
		if err := s.requestRefund(ctx, o, preview.user, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) requestRefund(ctx context.Context, o RefundOrder, user models.User, r Refundable) (err error) {
	key := fmt.Sprintf("deletion:%s:%d", r.ID, r.requests)
	if r.Withdraw {
		_, err = s.Withdrawal.Declare(ctx, withdrawal.Declaration{UserID: o.UserID, PurchaseID: r.ID.String(),
			Name: cmp.Or(user.Name, user.Email), Email: user.Email, Contract: o.Contract(r.Purchase), Locale: o.Locale,
			Key: key, Sender: o.Sender})
		return err
	}
	_, err = s.Purchase.RequestUnused(ctx, purchase.GoodwillOrder{UserID: o.UserID, PurchaseID: r.ID.String(),
		Seen: r.Offer, Key: key})
	return err
}
