// Package gate stands in front of an unmodified Resume Matcher and charges its AI routes: it holds credits, passes the
// request on, looks at the answer, and captures or releases the hold.
package gate

import (
	"context"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/spend"
)

// Service serves the requests to one Resume Matcher.
type Service struct {
	DB       *gorm.DB
	Spend    *spend.Service
	Limits   *limit.Limiter
	Upstream *Upstream
	Routes   *routes.Table
	Timeout  time.Duration // of one request to Resume Matcher

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

// Stop ends the requests that are still running, so that their holds are released.
func (s *Service) Stop() {
	s.stopping()
	s.stop()
}
