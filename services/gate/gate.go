// Package gate stands in front of an unmodified Resume Matcher and charges its AI routes: it holds credits, passes the
// request on, looks at the answer, and captures or releases the hold.
package gate

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/spend"
)

// Paths by which a sign-in is handed over to the gate's own host.
const (
	HandoverPath = "/auth/resume-matcher" // at our host
	SessionPath  = "/credits/session"     // at the gate's
)

// Service serves the requests to one Resume Matcher.
type Service struct {
	DB       *gorm.DB
	Spend    *spend.Service
	Limits   *limit.Limiter
	Upstream *Upstream
	AddOn    *AddOn // nil: users share Resume Matcher's data
	Routes   *routes.Table
	Timeout  time.Duration // of one request to Resume Matcher
	Log      *slog.Logger

	running running

	once sync.Once
	done context.Context
	stop context.CancelFunc
}

// stopping returns a context that ends with Stop.
func (s *Service) stopping() context.Context {
	s.once.Do(func() { s.done, s.stop = context.WithCancel(context.Background()) })
	return s.done
}

// PerTenant reports whether each user has a Resume Matcher of their own. Then none of its files is for strangers.
func (s *Service) PerTenant() bool { return s.Upstream.perTenant }

// Ready is AddOn.Ready, so that its caller can refuse a request before it reads the body. Where each user has a Resume
// Matcher of their own, it returns nil for a user without a tenant id yet, and Serve returns the error.
func (s *Service) Ready(ctx context.Context, tenant string) error {
	if s.PerTenant() && tenant == "" {
		return nil
	}
	return s.AddOn.Ready(ctx, tenant)
}

// Stop ends the requests that are still running, so that their holds are released.
func (s *Service) Stop() {
	s.stopping()
	s.stop()
}
