// Command credits is the prepaid credit system of Resume Matcher: one binary, its subcommands, one database.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	stdlog "log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/handlers"
	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/command"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/health"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/loopback"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/metrics"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/static"
	"github.com/resume-matcher/credits/views/letters"
)

// version and commit are set when a release is built: -ldflags "-X main.version=v1.2.3 -X main.commit=0123abc". The
// linker sets only variables that no function call initialises.
var (
	version = "development"
	commit  string
)

// pricesShown is how long pages may show prices that another server has changed.
const pricesShown = 5 * time.Second

func main() {
	stdlog.SetOutput(io.Discard) // net/http logs bytes of answers without a request; we log with slog
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	program := &command.Program{
		Version: version, Commit: cmp.Or(commit, command.Revision()), Licences: static.Licences,
		Variables: config.Environment(os.Environ()),
		Stdin:     os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Serve: serve,
	}
	err := program.Run(ctx, os.Args[1:])
	stop()
	os.Exit(exitCode(program, err))
}

// exitCode is 0 after success, 1 after a failure and 2 after wrong usage. It reports the error.
func exitCode(program *command.Program, err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, command.ErrRed):
		return 1
	}
	program.Fail(err)
	if _, ok := errors.AsType[command.UsageError](err); ok {
		return 2
	}
	return 1
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, p *command.Program) error {
	limitHeap()
	if err := static.Check(); err != nil {
		return err
	}
	// Opened first: a port in use is reported at once, and events that Stripe still owes us find the server.
	listener, err := listen(ctx, p.Config)
	if err != nil {
		return p.Config.ExplainPort(err)
	}
	p.OnClose(func(context.Context) error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) { // a server that ran has closed it
			return err
		}
		return nil
	})
	db, err := p.OpenDatabase(ctx)
	if err != nil && ctx.Err() != nil {
		return errors.New("stopped while starting") // err is only what the stop interrupted
	}
	if err != nil {
		return err
	}
	h, work, err := assemble(ctx, p, db)
	if err != nil {
		return p.Config.ExplainDir(err)
	}
	p.Announce(ctx)
	app := handlers.NewApp(h)
	return serveUntil(ctx, p, h, app, h.Listen(app, listener), work)
}

// listen opens PORT to every network, beside the sign-in stand-in to this machine alone: there, every visitor may sign
// in as any user.
func listen(ctx context.Context, cfg config.Config) (net.Listener, error) {
	port := strconv.Itoa(cfg.Port)
	if cfg.LocalSignIn {
		return loopback.Listen(ctx, net.JoinHostPort("127.0.0.1", port))
	}
	var all net.ListenConfig
	return all.Listen(ctx, "tcp", ":"+port)
}

// assemble builds the services, the handlers that call them, and the background work.
func assemble(ctx context.Context, p *command.Program, db *gorm.DB) (*handlers.Handler, []func(context.Context),
	error) {
	proxies, err := transport.ParseProxies(p.Config.TrustedProxies)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := p.SessionSecrets()
	if err != nil {
		return nil, nil, err
	}
	buy, err := p.Purchases(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	prices := p.Catalog(buy)
	spends := &spend.Service{DB: db, Log: p.Log}
	prices.Shown.Life, spends.Shown.Life = pricesShown, pricesShown
	if err := p.PreparePrices(ctx, prices); err != nil {
		return nil, nil, err
	}
	withdrawals := &withdrawal.Service{DB: db, Purchases: buy, Automatic: p.Config.WithdrawalAutoRefund, Now: models.Now,
		Log: p.Log}
	entries := &ledger.Service{DB: db}
	accounts := &account.Service{DB: db, Purchase: buy, Catalog: prices, Spend: spends, Ledger: entries,
		Withdrawal: withdrawals, Now: models.Now, Log: p.Log, Shared: p.Config.ResumeMatcher.Household()}
	signIn, err := p.SignIn(ctx, db, secrets, accounts.Claim)
	if err != nil {
		return nil, nil, err
	}
	limits, sessions := limit.New(db, nil), signIn.Sessions()
	accounts.Identities, accounts.Sessions = signIn, sessions
	events := &webhook.Service{DB: db, Purchase: buy, Catalog: prices, Secrets: p.Config.WebhookSecrets,
		Livemode: p.Config.Livemode(), Now: models.Now, Log: p.Log}
	keys := apikey.New(db, limits, p.Log, nil)
	h := &handlers.Handler{
		Sessions: handlers.NewSessions(sessions, secrets, p.Config.Secure()),
		Limits:   limits, Auth: signIn, Keys: keys,
		Purchase:   buy,
		Catalog:    prices,
		Withdrawal: withdrawals,
		Account:    accounts,
		Reconcile:  &reconcile.Service{DB: db, Purchase: buy, Now: models.Now, Log: p.Log},
		Spend:      spends,
		Ledger:     entries,
		Admin: &admin.Service{DB: db, Purchase: buy, Webhook: events, Auth: signIn, Sessions: sessions, Keys: keys,
			PricesChanged: func() { prices.Shown.Forget(); spends.Shown.Forget() }, Log: p.Log},
		Webhook:  events,
		Outbound: p.Outbound(db, secrets), Tracing: p.Tracing,
	}
	if err = openReserves(p, h); err != nil {
		return nil, nil, err
	}
	if h.Metrics, err = recorder(p, db, h); err != nil {
		return nil, nil, err
	}
	h.Reconcile.OnEventMissing, h.Webhook.OnEventMissing = h.Metrics.EventMissing, h.Metrics.EventMissing
	if h.Gate, err = p.Gate(ctx, h.Spend, limits); err != nil {
		return nil, nil, err
	}
	h.Mail, err = mailer(ctx, p, db, h)
	h.Site = site(p, proxies) // names the stand-ins, which run now
	return h, background(p, db, h), err
}

// mailer returns what sends the letters.
func mailer(ctx context.Context, p *command.Program, db *gorm.DB, h *handlers.Handler) (*mail.Service, error) {
	server, err := p.MailServer(ctx)
	h.Letters = letters.Site{AppURL: p.Config.AppURL, Support: p.Config.SupportEmail,
		Sandbox: p.Config.Mode == config.Sandbox, SmallBusiness: p.Config.SmallBusiness, Documents: p.Legal,
		Texts: p.Texts}
	return &mail.Service{DB: db, Server: server, From: p.Config.MailFrom, Operators: p.Config.AdminEmails,
		Write: h.Letters.Write, Now: models.Now, Log: p.Log}, err
}

// recorder returns what counts the requests, and exports the figures of the database and what the health check finds.
func recorder(p *command.Program, db *gorm.DB, h *handlers.Handler) (*metrics.Recorder, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	return metrics.New(metrics.Options{Version: p.Version, Mode: string(p.Config.Mode), Pool: pool,
		Figures: h.Admin.Figures, Problems: h.Health.Problems, Codes: texts(fault.Codes()),
		Reasons: texts(webhook.Refusals()), Now: models.Now}), nil
}

func texts[T ~string](all []T) (plain []string) {
	for _, value := range all {
		plain = append(plain, string(value))
	}
	return plain
}

// openReserves opens connections that stay free while the pool is used up: one for the check behind /readyz, and two to
// store Stripe's events.
func openReserves(p *command.Program, h *handlers.Handler) error {
	db, err := p.Connections(1, nil)
	if err != nil {
		return err
	}
	s := &health.Service{DB: db, Schema: &postgres.SchemaCheck{DB: db, Now: models.Now}, Now: models.Now, Log: p.Log}
	h.Health = handlers.Health{Check: s.Check, NoteFull: s.NoteFull}
	h.Webhook.Reserve, err = p.Connections(2, nil)
	return err
}

// background returns the work that runs beside the requests.
func background(p *command.Program, db *gorm.DB, h *handlers.Handler) []func(context.Context) {
	schedule := periodic.Schedule{DB: db, Jobs: h.Jobs(), Log: p.Log}
	schedule.OnActivity = func(noted func()) { postgres.OnActivity(db, noted) }
	schedule.Listen = func(ctx context.Context, ready func(), received func(string)) error {
		return postgres.Listen(ctx, p.Config.DirectDatabaseURL().Reveal(), periodic.Channel, ready, received)
	}
	work := []func(context.Context){schedule.Run, h.Auth.CheckIssuer}
	if h.Gate != nil { // the log tells what is wrong before a request comes
		work = append(work, func(ctx context.Context) { _ = h.Gate.Ready(ctx, "") })
	}
	return work
}

// site is what every page knows of this installation.
func site(p *command.Program, proxies transport.Proxies) handlers.Site {
	return handlers.Site{
		AppURL:        p.Config.AppURL,
		GateURL:       p.Config.ResumeMatcher.PublicURL,
		Sandbox:       p.Config.Mode == config.Sandbox,
		ThisMachine:   p.Config.LocalSignIn,
		SmallBusiness: p.Config.SmallBusiness,
		Development:   !p.Config.Production(),
		ReturnOrigins: p.Config.Returns(),
		FormTargets:   []string{p.Config.CheckoutOrigin()},
		Proxies:       proxies,
		Dashboard:     p.Config.Dashboard(),
		Mailbox:       p.Config.Mailbox,
		Control:       p.Config.ResumeMatcher.Control,
		Support:       p.Config.SupportEmail,
		Documents:     p.Legal,
		Legal:         handlers.Legal{Imprint: p.Config.ImprintURL, Terms: p.Config.TermsURL, Privacy: p.Config.PrivacyURL},
		Texts:         p.Texts,
		Log:           p.Log,
		MetricsToken:  p.Config.MetricsToken.Reveal(),
	}
}

// serveUntil answers requests until ctx ends, then shuts down. Background work outlives the requests.
func serveUntil(ctx context.Context, p *command.Program, h *handlers.Handler, app *fiber.App, listener net.Listener,
	work []func(context.Context)) error {
	working, stop := context.WithCancel(p.Tracing.Into(context.WithoutCancel(ctx)))
	var running sync.WaitGroup
	for _, w := range work {
		running.Go(func() { w(working) })
	}
	failed := make(chan error, 1)
	go func() { failed <- app.Listener(listener) }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = h.Shutdown(app, time.After(p.Config.Drain))
	}
	stop()
	running.Wait()
	return err
}
