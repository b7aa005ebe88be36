package admin

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

const (
	openLimit = 20 // open items of one user
	// bankDays is the number of days within which a bank pays or refuses a debit.
	// Source: https://docs.stripe.com/payments/sepa-debit
	bankDays = 14
)

// openOf lists what is open about a user's purchases, oldest first.
func (s *Service) openOf(ctx context.Context, userID int64) (items []models.OpenItem, err error) {
	err = s.DB.WithContext(ctx).Raw(`WITH own AS (SELECT id, number, status, amount_cents, currency, paid_cents, paid_at, created_at,
			payment_intent_id, coalesce(nullif(paid_currency, ''), currency) AS paid_currency FROM purchases WHERE user_id = @user)
		SELECT 'bank' AS kind, id AS purchase_id, number, amount_cents AS cents, currency, created_at AS since,
				created_at + make_interval(days => @days) AS due FROM own WHERE status = 'awaiting_payment'
		UNION ALL SELECT 'review', id, number, paid_cents, paid_currency, coalesce(paid_at, created_at), NULL FROM own WHERE status = 'review'
		UNION ALL SELECT 'refund_send', own.id, number, r.amount_cents, paid_currency, r.created_at, NULL
			FROM own JOIN refund_requests r ON r.purchase_id = own.id WHERE r.status = 'pending'
		UNION ALL SELECT 'refund', own.id, number, r.amount, r.currency, r.updated_at, NULL
			FROM own JOIN stripe_refunds r ON r.payment_ref = payment_intent_id WHERE r.status IN ('pending', 'requires_action')
		UNION ALL SELECT 'dispute', own.id, number, d.amount, d.currency, d.updated_at, d.due_by
			FROM own JOIN stripe_disputes d ON d.payment_ref = payment_intent_id
			WHERE d.`+models.DisputeOpenSQL+`
		ORDER BY since, number LIMIT @limit`, sql.Named("user", userID), sql.Named("days", bankDays), sql.Named("limit", openLimit)).
		Scan(&items).Error
	if err != nil {
		return nil, fmt.Errorf("open items of user %d: %w", userID, err)
	}
	return items, nil
}

// People maps ids to users as they are known now.
type People map[int64]models.User

// people reads the users with these ids; 0 is none.
func (s *Service) people(ctx context.Context, ids []int64) (People, error) {
	slices.Sort(ids)
	var users []models.User
	err := s.DB.WithContext(ctx).Raw(`SELECT id, email, name, deleted_at FROM users WHERE id IN ?`,
		append(slices.Compact(ids), 0)).Scan(&users).Error
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	known := make(People, len(users))
	for _, u := range users {
		known[u.ID] = u
	}
	return known, nil
}

// Named reads the users whom audit entries name, and fills in the numbers of purchases.
func (s *Service) Named(ctx context.Context, entries []models.AuditEntry) (People, error) {
	if err := s.numberPurchases(ctx, entries); err != nil {
		return nil, err
	}
	var ids []int64
	for _, e := range entries {
		for _, id := range []*int64{e.ActorID, e.UserID} {
			if id != nil {
				ids = append(ids, *id)
			}
		}
	}
	return s.people(ctx, ids)
}

// numberPurchases fills in the numbers of the purchases that audit entries are about.
func (s *Service) numberPurchases(ctx context.Context, entries []models.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	about := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		var detail struct {
			PurchaseID string `json:"purchase_id"`
		}
		if json.Unmarshal(e.Detail, &detail) == nil {
			about[i], _ = uuid.Parse(detail.PurchaseID) // the zero id, which no purchase has, without one
		}
	}
	var numbered []models.Purchase
	err := s.DB.WithContext(ctx).Raw(`SELECT id, number FROM purchases WHERE id IN ?`, about).Scan(&numbered).Error
	if err != nil {
		return fmt.Errorf("read numbers of purchases: %w", err)
	}
	for _, p := range numbered {
		for i := range entries {
			if about[i] == p.ID {
				entries[i].PurchaseNumber = p.Number
			}
		}
	}
	return nil
}

// namedIn reads the users whom a purchase's refund requests and moves name.
func (s *Service) namedIn(ctx context.Context, p PurchasePage) (People, error) {
	var ids []int64
	for _, r := range p.Requests {
		if r.ActorID != nil {
			ids = append(ids, *r.ActorID)
		}
	}
	for _, e := range p.Entries {
		ids = append(ids, e.UserID, e.Meta.Counterpart)
	}
	return s.people(ctx, ids)
}
