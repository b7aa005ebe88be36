package admin

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// recentRecords is how many events and audit entries UserPage returns.
const recentRecords = 10

// UserPageQuery selects a user and a page of their entries and purchases.
type UserPageQuery struct {
	UserID          int64
	EntriesBefore   int64     // entries with a lower id; 0 starts at the newest
	PurchasesBefore uuid.UUID // purchases older than this one; the zero id starts at the newest
	Limit           int       // entries, and purchases, at most
}

// UserPage is everything that the admin page of one user shows.
type UserPage struct {
	User          models.User
	Identities    []models.Identity        // oldest first
	Refused       []models.RefusedIdentity // sign-ins that were refused because the user holds their address
	WithoutRight  []models.Identity        // identities with an admin's address whose right another identity holds
	Sessions      int                      // browsers in which the user is signed in
	Purchases     []models.Purchase        // newest first
	MorePurchases bool                     // older purchases exist
	History       ledger.Page
	Features      []models.FeaturePrice
	Holds         []models.Hold             // holds that captured nothing, open ones first
	Events        webhook.Listed            // the newest events about the user's purchases
	Audit         []models.AuditEntry       // the newest entries about the user
	Keys          []models.APIKey           // service keys that the user created
	Bounce        *models.Bounce            // nil unless letters to the user come back
	Withdrawals   []models.ListedWithdrawal // the newest that the user declared
	Open          []models.OpenItem         // what has not ended, oldest first
	People        People                    // whom Audit names
}

// UserPage reads the admin page of one user.
// Errors: fault.NotFound.
func (s *Service) UserPage(ctx context.Context, q UserPageQuery) (UserPage, error) {
	p, id := UserPage{}, q.UserID
	entries := &ledger.Service{DB: s.DB}
	for _, read := range []func() error{
		func() (err error) { p.User, err = s.User(ctx, id); return },
		func() error { return s.readSignIns(ctx, id, &p) },
		func() (err error) {
			p.Purchases, p.MorePurchases, err = s.Purchase.OfUser(ctx, id, q.PurchasesBefore, q.Limit)
			return
		},
		func() (err error) { p.History, err = entries.History(ctx, id, q.EntriesBefore, q.Limit); return },
		func() (err error) { p.Features, err = s.Features(ctx); return },
		func() (err error) { p.Holds, err = entries.Uncharged(ctx, id); return },
		func() (err error) { p.Events, err = s.Webhook.OfUser(ctx, id, recentRecords); return },
		func() (err error) { p.Audit, err = s.AuditOf(ctx, id, recentRecords); return },
		func() (err error) { p.People, err = s.Named(ctx, p.Audit); return },
		func() (err error) { p.Open, err = s.openOf(ctx, id); return },
		func() (err error) {
			withdrawals := withdrawal.Service{DB: s.DB, Purchases: s.Purchase, Now: models.Now}
			p.Withdrawals, err = withdrawals.OfUser(ctx, id, recentRecords)
			return
		},
		func() (err error) { p.Keys, err = s.keysOf(ctx, id); return },
		func() (err error) { p.Bounce, err = mail.BounceOf(s.DB.WithContext(ctx), id); return },
	} {
		if err := read(); err != nil {
			return UserPage{}, err
		}
	}
	return p, nil
}

// readSignIns adds how the user signs in, which sign-ins were refused, and how many sessions are open.
func (s *Service) readSignIns(ctx context.Context, userID int64, p *UserPage) (err error) {
	if p.Identities, err = s.Auth.Identities(ctx, userID); err != nil {
		return err
	}
	if p.Refused, err = s.Auth.Refused(ctx, userID); err != nil {
		return err
	}
	rights, err := s.Auth.AdminRights(ctx, p.Identities)
	if err != nil {
		return err
	}
	for i, right := range rights {
		if right == auth.RightElsewhere {
			p.WithoutRight = append(p.WithoutRight, p.Identities[i])
		}
	}
	sessions, err := s.Sessions.List(ctx, userID)
	p.Sessions = len(sessions)
	return err
}

// keysOf lists the service keys that a user created.
func (s *Service) keysOf(ctx context.Context, userID int64) ([]models.APIKey, error) {
	keys, err := s.Keys.List(ctx)
	return slices.DeleteFunc(keys, func(k models.APIKey) bool { return k.CreatedBy == nil || *k.CreatedBy != userID }), err
}
