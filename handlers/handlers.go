// Package handlers is the only code that knows HTTP: it parses, makes one service call, and renders or redirects.
package handlers

import (
	"context"
	"log/slog"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/views/layouts"
)

// Handler holds the services that a request may call.
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

	bodies *transport.Budget
	pages  []string // patterns of the addresses of our pages
}

// Legal is where the operator says what the law wants said; the footer links to it.
type Legal = layouts.Legal

// Site is what a page needs to know of the place it is served from.
type Site struct {
	AppURL        string // public origin
	Sandbox       bool
	Development   bool   // what only those need who work on the product is there
	SmallBusiness bool   // the seller charges no value added tax (§ 19 UStG)
	Dashboard     string // where the sandbox shows its payments; empty outside
	Legal         Legal
	FormTargets   []string          // foreign origins to which our forms may redirect: where one pays
	Proxies       transport.Proxies // whose X-Forwarded-For is believed
	Texts         *locales.Catalog
	Log           *slog.Logger
	Ready         func(context.Context) error // nil when the database is reachable and migrated

	policy string // Content-Security-Policy of every answer
}
