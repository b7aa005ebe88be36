// Package account deletes accounts: what a deletion ends and leaves, the erasure of personal data, the end of retention, and
// the export of what is stored about a user.
package account

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
)

// erasePause is the time between two looks for accounts to erase.
const erasePause = 2 * time.Second

// Service deletes, erases and removes accounts.
type Service struct {
	DB       *gorm.DB
	Purchase *purchase.Service // closes what the account has at Stripe
	Now      func() time.Time
	Log      *slog.Logger
}

// Run erases deleted accounts until ctx ends. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context) {
	periodic.Job{Name: "erase deleted accounts", Pause: erasePause, Work: s.EraseDue}.Run(ctx, s.Log)
}
