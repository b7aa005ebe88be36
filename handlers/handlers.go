// Package handlers is the only code that knows HTTP: it parses a request, makes one service call, and renders or
// redirects.
package handlers

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/metrics"
	"github.com/resume-matcher/credits/services/outbound"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/tracing"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/views/layouts"
	"github.com/resume-matcher/credits/views/letters"
)

// Handler holds the services that requests call.
type Handler struct {
	Site       Site
	Sessions   *Sessions
	Limits     *limit.Limiter
	Auth       *auth.Service
	Keys       *apikey.Service
	Purchase   *purchase.Service
	Catalog    *catalog.Service
	Withdrawal *withdrawal.Service
	Account    *account.Service
	Reconcile  *reconcile.Service
	Spend      *spend.Service
	Ledger     *ledger.Service
	Admin      *admin.Service
	Webhook    *webhook.Service
	Outbound   *outbound.Service
	Mail       *mail.Service
	Gate       *gate.Service     // nil without a Resume Matcher
	Metrics    *metrics.Recorder // nil: /metrics is not served
	Health     Health
	Tracing    *tracing.Tracer // nil without a collector
	Letters    letters.Site    // composes those that development shows

	draining        atomic.Bool  // set by Shutdown
	outage          atomic.Int64 // requests that failed since the database stopped answering
	away            failures     // of requests that need another service
	bodies, uploads *transport.Budget
	pages           []string // route patterns of the pages, for returnTo
	landings        sync.Map // landing by language
}

// Legal holds the URLs of the legally required pages (imprint, terms, privacy), linked in the footer.
type Legal = layouts.Legal

// Site describes the installation.
type Site struct {
	AppURL        string // public origin
	GateURL       string // public origin of Resume Matcher's pages; empty if they share ours
	Sandbox       bool
	ThisMachine   bool   // requests for other hosts are refused: every visitor may sign in as any user
	Development   bool   // serves /dev/components and /dev/letters
	SmallBusiness bool   // the seller charges no value added tax (§ 19 UStG)
	Mailbox       string // URL of the sandbox's inbox; empty outside the sandbox
	Dashboard     string // URL of the sandbox's payments; empty outside the sandbox
	Control       string // URL of the Resume Matcher stand-in's control page; empty without the stand-in
	Support       string // SUPPORT_EMAIL; empty: pages promise no help
	Legal         Legal
	Documents     legal.Library
	ReturnOrigins []string          // that buyers may be sent back to
	FormTargets   []string          // foreign origins that forms may redirect to: Stripe's payment pages
	Proxies       transport.Proxies // their X-Forwarded-For is trusted
	Texts         *locales.Catalog
	Log           *slog.Logger
	MetricsToken  string // bearer of /metrics; empty: loopback may read it

	policy string // Content-Security-Policy of every response

	gateHost, gateName, gateScheme string // of GateURL
}
