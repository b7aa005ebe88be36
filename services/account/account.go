// Package account owns the life of an account's personal data: export, deletion, erasure, and removal when retention
// ends. It also reads the billing page, on which users see what their account holds.
package account

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
)

// erasePause is the time between two searches for accounts to erase.
const erasePause = 2 * time.Second

// Service deletes, erases and removes accounts.
type Service struct {
	DB       *gorm.DB
	Purchase *purchase.Service // deletes the account's customers at Stripe
	Shared   bool              // the data in Resume Matcher belong to all users, so a deletion leaves them
	Now      func() time.Time
	Log      *slog.Logger
}

// Run erases deleted accounts until ctx ends. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context) {
	periodic.Job{Name: "erase deleted accounts", Pause: erasePause, Work: s.EraseDue}.Run(ctx, s.Log)
}
