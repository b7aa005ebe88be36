// Package account owns the life of an account's personal data: export, deletion, erasure, and removal when retention
// ends. It also reads the account and billing pages, on which users see what their account holds.
package account

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// Identities lists the identities of a user, as auth.Service does. Package auth is not imported, because its tests
// import this package.
type Identities interface {
	Identities(ctx context.Context, userID int64) ([]models.Identity, error)
}

// Sessions lists the sessions of a user, as auth.Sessions does.
type Sessions interface {
	List(ctx context.Context, userID int64) ([]models.Session, error)
}

// Service deletes, erases and removes accounts.
type Service struct {
	DB         *gorm.DB
	Purchase   *purchase.Service // refunds, and deletes the account's customers at Stripe
	Catalog    *catalog.Service  // of the billing page, as Spend and Ledger are
	Spend      *spend.Service
	Ledger     *ledger.Service
	Withdrawal *withdrawal.Service // receives the declarations of users who delete their accounts
	Identities Identities          // of the account page, as Sessions is
	Sessions   Sessions
	Shared     bool // the data in Resume Matcher belong to all users, so a deletion leaves them
	Now        func() time.Time
	Log        *slog.Logger
}

// Jobs erase deleted accounts and complete deletions over time. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return append(s.sweeps(), periodic.Job{Name: "erase deleted accounts", Work: s.EraseDue,
		Due: `(SELECT now() FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NULL LIMIT 1)`})
}
