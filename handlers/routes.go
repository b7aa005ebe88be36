package handlers

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

// Limits of one request and its connection.
const (
	firstBytes   = 512      // of a body, read before the request is routed
	headerLimit  = 16 << 10 // bytes
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
)

// NewApp returns the server with every URL of the product; registerCalls has those of the API.
func NewApp(h *Handler) *fiber.App {
	h.Site.policy = contentPolicy(h.Site.FormTargets)
	if h.Gate != nil {
		h.Site.findHosts()
	}
	h.bodies = &transport.Budget{Total: totalBytes, Share: networkBytes}
	config := h.serverConfig()
	app := fiber.New(config)
	var theirs, side fasthttp.RequestHandler
	if h.Gate != nil {
		theirs, side = h.newGate(config).Handler(), h.newGateSide(config).Handler()
		app.Server().HeaderReceived = h.uploadTime
	}
	app.Server().ErrorHandler = closeIdle(app.Server().ErrorHandler)
	app.Server().Handler = h.preRoute(app, theirs, side)
	h.useFirst(app, requestBudget)
	app.Use(h.secure)
	docs := h.routePrograms(app)
	h.routeSession(app)
	page := app.Group(localePattern, h.useLocale, h.checkToken)
	h.routePages(page, docs)
	h.routeAccount(page)
	h.routeAdmin(page.Group("/admin", h.requireStaff))
	if h.Site.gateHost != "" {
		app.Get("/*", h.redirectToGate)
	}
	app.Use(notFound)
	h.pages = pagesOf(app)
	return app
}

// serverConfig is the configuration of every server: ours, the gate, and ours at its host.
func (h *Handler) serverConfig() fiber.Config {
	return fiber.Config{
		Immutable:             true, // idempotency keys must not alias a reused buffer
		ErrorHandler:          h.handleError,
		StreamRequestBody:     true, // readBody allocates for received bytes, not for the announced length
		BodyLimit:             firstBytes,
		ReadBufferSize:        headerLimit,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		Concurrency:           2 * maxConnections(), // never reached: Listen accepts fewer
		CaseSensitive:         true,
		DisableStartupMessage: true,

		DisablePreParseMultipartForm: true, // we have no multipart forms
		EnableTrustedProxyCheck:      true, // Fiber trusts no proxy; sender trusts Site.Proxies
	}
}

// routePrograms registers what needs no session, then the API, and returns the handler of its documentation.
func (h *Handler) routePrograms(app *fiber.App) (docs fiber.Handler) {
	app.Get("/healthz", showAlive)
	app.Get("/readyz", h.showReady)
	app.Get("/metrics", h.admitMonitor, h.showMetrics())
	app.Get("/robots.txt", showRobots)
	app.Get("/static/*", showStatic)
	app.Get(embedPath, showEmbed)
	// before sessions and cookies, which Stripe does not have
	app.Post("/api/stripe/webhook", h.readBody(eventLimit), h.receiveEvent)
	app.All("/api/stripe/webhook", methodNotAllowed)
	var document []byte // set below, once every call is registered
	app.Get(documentPath, func(c *fiber.Ctx) error { return sendDocument(c, document) })

	app.Use(h.readBody(formLimit), refuseEncoded)
	app.Use("/api", h.identifyKey)
	app.Use(h.sameOrigin, h.loadVisitor)
	app.Use("/api", returnErrors)
	spec := h.mountAPI(app)
	document = documentJSON(spec)
	docs = h.showDocs(h.docsOf(spec))
	app.Get(docsPath, docs)
	app.Use("/api", notFound)
	return docs
}

// routeSession registers the paths without a language.
func (h *Handler) routeSession(app *fiber.App) {
	app.Get(embedStatePath, h.requireUser, h.sendEmbedState)
	app.Get("/", h.pickLocale)
	app.Get("/dev/components", h.pickDevelopment)
	app.Get(devLettersPath, h.pickDevelopment)
	if h.Site.gateHost != "" {
		app.Get(gate.HandoverPath, h.limit(limit.SignIn), h.handOver)
	}
	app.Get("/auth/:provider", h.limit(limit.SignIn), h.startSignIn)
	app.Get("/auth/:provider/callback", h.limit(limit.SignInReturn), h.finishSignIn)
	app.Post("/logout", h.checkToken, h.signOut)

	// Registered before the CSRF-protected pages: withdrawals are open to anonymous visitors, and mail programs
	// unsubscribe.
	app.Post(localePattern+"/letters/:id/unsubscribe", h.useLocale, h.unsubscribe)
	app.Post(localePattern+"/withdrawal", h.useLocale, h.declareWithdrawal)
}

// routePages registers the pages of visitors and users.
func (h *Handler) routePages(page fiber.Router, docs fiber.Handler) {
	page.Get("/", h.showLanding)
	page.Get(docsPath, docs)
	page.Get("/dev/components", h.showComponents)
	page.Get(devLettersPath, h.showLetters)
	page.Get(devLettersPath+"/html", h.sendLetter)
	page.Get("/login", h.showLogin)
	page.Get("/billing", h.requireUser, h.limitPoll, h.showBilling)
	page.Get("/purchase", h.requireUser, h.showPackages)
	page.Post("/purchase", h.requireUser, h.limit(limit.Checkout), h.startPurchase)
	page.Get("/purchase/:id", h.requireUser, h.showPurchase)
	page.Get("/purchase/:id/refund", h.requireUser, h.showPurchaseRefund)
	page.Post("/purchase/:id/refund", h.requireUser, h.limit(limit.Refund), h.refundUnused)
	page.Get("/purchase/:id/use-now", h.requireUser, h.showUseNow)
	page.Post("/purchase/:id/use-now", h.requireUser, h.useNow)
	page.Get("/purchase/:id/receipt", h.requireUser, h.limit(limit.Receipt), h.openReceipt)
	page.Get("/legal/:text", h.showLegal)
	page.Get("/letters/:id/unsubscribe", h.showUnsubscribe)
	page.Get("/withdrawal", h.showWithdrawal)
	page.Get("/withdrawal/:id", h.showWithdrawalConfirmation)
	page.Get("/withdrawal/:id/confirmation.txt", h.sendWithdrawalConfirmation)
	page.Get("/history", h.requireUser, h.showHistory)
	page.Get("/history.csv", h.requireUser, h.limit(limit.HistoryFile), h.sendHistory)
}

// routeAccount registers the pages of a user's account.
func (h *Handler) routeAccount(page fiber.Router) {
	ofAccount := h.limit(limit.Account)
	page.Get("/confirm", h.requireUser, h.showConfirm)
	page.Get("/account", h.requireUser, h.showAccount)
	page.Post("/account", h.requireUser, ofAccount, h.saveProfile)
	page.Post("/account/letters", h.requireUser, ofAccount, h.saveLetters)
	page.Post("/account/sign-ins/:id/unlink", h.requireUser, ofAccount, h.requireReauth, h.unlinkSignIn)
	page.Get("/account/export.zip", h.requireUser, h.requireReauth, h.limit(limit.Export), h.sendAccount)
	page.Get("/account/delete", h.requireUser, h.showDeletion)
	page.Post("/account/delete", h.requireUser, ofAccount, h.requireReauth, h.deleteAccount)
	page.Post("/account/sessions/end", h.requireUser, ofAccount, h.signOutEverywhere)
	page.Post("/account/sessions/:id/end", h.requireUser, ofAccount, h.endSession)
}

// helperAreas are the areas under /admin whose pages helpers may read, besides the first page. Everything else there,
// and every form, is for admins.
var helperAreas = []string{"users", "purchases", "events", "findings", "resumes", "withdrawals"}

// routeAdmin registers the pages of the admin area.
func (h *Handler) routeAdmin(staff fiber.Router) {
	byAdmin := h.limit(limit.AdminWrite)
	staff.Get("/", h.showAdmin)
	staff.Get("/users/:id", h.showAdminUser)
	staff.Post("/users/:id/grant", byAdmin, h.previewGrant, h.requireReauth, h.grantCredits)
	staff.Post("/users/:id/relink", byAdmin, h.requireReauth, h.changeAccess(pages.AccessRelink))
	staff.Post("/users/:id/right", byAdmin, h.requireReauth, h.changeAccess(pages.AccessRight))
	staff.Post("/users/:id/sessions", byAdmin, h.requireReauth, h.changeAccess(pages.AccessSessions))
	staff.Get("/purchases/:id", h.showAdminPurchase)
	staff.Get("/purchases/:id/dossier", h.showDossier)
	staff.Get("/purchases/:id/dossier.html", h.sendDossier)
	staff.Post("/purchases/:id/check", byAdmin, h.checkPurchase)
	staff.Post("/purchases/:id/refund", byAdmin, h.requireReauth, h.refundPurchase)
	staff.Post("/purchases/:id/move", byAdmin, h.requireReauth, h.movePurchase)
	staff.Post("/purchases/:id/book", byAdmin, h.requireReauth, h.decidePurchase(models.DecisionBook))
	staff.Post("/purchases/:id/foreign", byAdmin, h.requireReauth, h.decidePurchase(models.DecisionForeign))
	staff.Post("/purchases/:id/share", byAdmin, h.requireReauth, h.decidePurchase(models.DecisionShare))
	staff.Get("/withdrawals", h.showWithdrawals)
	staff.Post("/withdrawals/:id/close", byAdmin, h.closeWithdrawal)
	staff.Post("/withdrawals/:id/refund", byAdmin, h.requireReauth, h.refundWithdrawal)
	staff.Post("/withdrawals/:id/reopen", byAdmin, h.reopenWithdrawal)
	staff.Get("/events", h.showEvents)
	staff.Get("/events/:id", h.showWaitingItem(models.WaitingEvent))
	staff.Post("/events/:id/retry", byAdmin, h.retryEvent)
	staff.Post("/events/:id/foreign", byAdmin, h.decideItem(models.WaitingEvent, models.DecisionForeign))
	staff.Post("/events/:id/close", byAdmin, h.decideItem(models.WaitingEvent, models.DecisionClose))
	staff.Get("/findings/:id", h.showWaitingItem(models.WaitingFinding))
	staff.Post("/findings/:id/close", byAdmin, h.decideItem(models.WaitingFinding, models.DecisionClose))
	staff.Get("/resumes/:id", h.showWaitingItem(models.WaitingResumes))
	staff.Post("/resumes/:id/retry", byAdmin, h.retryResumes)
	staff.Post("/resumes/:id/close", byAdmin, h.decideItem(models.WaitingResumes, models.DecisionClose))
	staff.Post("/reconcile", h.limit(limit.Reconcile), h.startReconcile)
	staff.Get("/audit", h.showAudit)
	staff.Get("/features", h.showFeatures)
	staff.Post("/features", byAdmin, h.saveFeature)
	staff.Get("/keys", h.showKeys)
	staff.Post("/keys", byAdmin, h.requireReauth, h.createKey)
	staff.Post("/keys/:id/revoke", byAdmin, h.requireReauth, h.revokeKey)
	staff.Get("/letters", h.showUnsent)
	staff.Post("/letters", byAdmin, h.saveLetterSettings)
	staff.Post("/letters/retry", byAdmin, h.retryLetters)
	staff.Post("/letters/:id/retry", byAdmin, h.changeLetter(h.Mail.Retry, "letter_retried"))
	staff.Post("/letters/:id/close", byAdmin, h.changeLetter(h.Mail.Close, "letter_closed"))
	staff.Get("/webhooks", h.showWebhooks)
	staff.Post("/webhooks", byAdmin, h.requireReauth, h.addWebhook)
	staff.Post("/webhooks/:id/rotate", byAdmin, h.requireReauth, h.rotateWebhook)
	staff.Post("/webhooks/:id/disable", byAdmin, h.requireReauth, h.changeWebhook("disable"))
	staff.Post("/webhooks/:id/enable", byAdmin, h.requireReauth, h.changeWebhook("enable"))
	staff.Post("/webhooks/:id/remove", byAdmin, h.requireReauth, h.changeWebhook("remove"))
	staff.Post("/webhooks/:id/test", byAdmin, h.changeWebhook("test"))
	staff.Post("/webhooks/:id/replay", byAdmin, h.replayWebhooks)
	staff.Post("/webhooks/deliveries/:id/replay", byAdmin, h.replayWebhook)
}

// registerCalls registers the API.
func (a *api) registerCalls() {
	register(a, fiber.MethodGet, "/api/features", featuresCall, a.h.listFeatures)
	register(a, fiber.MethodGet, "/api/packages", packagesCall, a.h.listPackages)
	register(a, fiber.MethodGet, "/api/credits/balance", balanceCall, a.h.readBalance)
	register(a, fiber.MethodGet, "/api/credits/transactions", transactionsCall, a.h.listTransactions)
	register(a, fiber.MethodPost, "/api/credits/spend", spendCall, a.h.spendCredits)
	register(a, fiber.MethodPost, "/api/credits/holds", holdCall, a.h.holdCredits)
	register(a, fiber.MethodGet, "/api/credits/holds/{id}", readHoldCall, a.h.readHold)
	register(a, fiber.MethodPost, "/api/credits/holds/{id}/capture", captureCall, a.h.captureHold)
	register(a, fiber.MethodPost, "/api/credits/holds/{id}/release", releaseCall, a.h.releaseHold)
	register(a, fiber.MethodPost, "/api/checkout", checkoutCall, a.h.createCheckout)
}

// localePattern is the path prefix of the pages: /:locale<regex(^(de|en)$)>.
var localePattern = "/:locale<regex(^(" + strings.Join(components.Languages(), "|") + ")$)>"
