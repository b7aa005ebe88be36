// Command credits is the prepaid credit system of Resume Matcher: one binary, its subcommands, one database.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/handlers"
	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/command"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/doctor"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/localpg"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/loopback"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/sandbox"
	"github.com/resume-matcher/credits/services/seal"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/services/withdrawal"
	"github.com/resume-matcher/credits/static"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version = "development"

// How long running requests, and then everything else, may take to end.
const (
	shutdownTimeout = 12 * time.Second
	closeTimeout    = 3 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], config.Environment(os.Environ()), os.Stdout, os.Stderr)
	stop()
	var usage command.UsageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errIll):
		os.Exit(1)
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "credits: "+err.Error())
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "credits: "+logging.Redact(err.Error()))
		os.Exit(1)
	}
}

const usage = `Usage: credits [command]

  serve          run the server (the default)
  migrate        bring the database to this version's schema
  prices sync    bring Stripe's product and prices to our packages, and our table to Stripe's
  reconcile      compare what Stripe has with what was booked, and mend it
  doctor         check the set-up and say how to mend it
  grant          give a user credits by hand
  keys           make, list and revoke the keys with which other programs call the API
  admins         show which sign-in holds an admin's right, and release it
  relink         give a user's account to a sign-in that was refused for its address
  version        print the version

"credits COMMAND -h" explains a command. Settings are environment variables; .env.example lists them all.
`

// run is the program: one switch over the subcommands.
func run(ctx context.Context, args []string, vars config.Variables, stdout, stderr io.Writer) error {
	p := &program{vars: vars, stdout: stdout, stderr: stderr}
	defer p.close()
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "serve":
		return p.serve(ctx, args)
	case "migrate":
		return p.migrate(ctx, args)
	case "doctor":
		return p.doctor(ctx, args)
	case "version":
		_, err := fmt.Fprintln(stdout, version)
		return err
	case "help", "-h", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	}
	c, known, err := command.New(name, args, stdout)
	switch {
	case !known:
		return command.UsageError(fmt.Sprintf("there is no command %q\n\n%s", name, usage))
	case err != nil:
		return err
	}
	return p.work(ctx, c)
}

// program is what the subcommands share, filled in as they need it.
type program struct {
	vars           config.Variables
	stdout, stderr io.Writer

	cfg     config.Config
	log     *slog.Logger
	dataDir string // where the private database lies; empty with DATABASE_URL
	closers []func(context.Context) error

	exclusive bool // refuses a private database that another process runs
}

// close ends what was started, the last first.
func (p *program) close() {
	for _, end := range slices.Backward(p.closers) {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		if err := end(ctx); err != nil {
			p.log.Error("did not stop cleanly", "err", err)
		}
		cancel()
	}
}

// begin parses a subcommand's arguments and reads the configuration. Errors: command.UsageError; flag.ErrHelp after an
// explanation.
func (p *program) begin(set *flag.FlagSet, explanation string, args []string) error {
	if err := p.parse(set, explanation, args); err != nil {
		return err
	}
	return p.configure()
}

// configure reads the configuration, as far as it can be read.
func (p *program) configure() (err error) {
	p.cfg, err = config.Load(p.vars)
	p.log = logging.NewLogger(p.stderr, p.cfg.LogLevel, p.cfg.LogFormat)
	return err
}

// parse is the first half of begin.
func (p *program) parse(set *flag.FlagSet, explanation string, args []string) error {
	return command.Parse(set, explanation, args, 0, p.stdout)
}

// startDatabase makes sure that there is a PostgreSQL.
func (p *program) startDatabase(ctx context.Context) error {
	if p.cfg.DatabaseURL != "" {
		return nil
	}
	server, err := localpg.Start(ctx, localpg.Options{
		Dir: p.cfg.DataDir, BinDir: p.cfg.PostgresBinDir, Exclusive: p.exclusive, Progress: p.stderr, Log: p.log,
	})
	if err != nil {
		return p.cfg.ExplainDir(fmt.Errorf("start the private database: %w", err))
	}
	p.closers = append(p.closers, func(context.Context) error { return server.Stop() })
	p.cfg.DatabaseURL, p.dataDir = config.Secret(server.URL()), server.Dir()
	p.cfg.DatabasePoolURL = config.Secret(server.ServerURL() + "&pgbouncer=false") // no pooler, a role of less power
	return nil
}

// migrateDatabase makes sure that there is a PostgreSQL and brings it to our schema.
func (p *program) migrateDatabase(ctx context.Context) error {
	if err := p.startDatabase(ctx); err != nil {
		return err
	}
	err := postgres.MigrateFor(ctx, p.cfg.DatabaseURL.Reveal(), p.cfg.ServerDatabaseURL().Reveal(), p.log)
	if postgres.DiskFull(err) && p.dataDir != "" {
		return p.cfg.ExplainDir(fmt.Errorf("migrate: %w", syscall.ENOSPC))
	}
	return err
}

// open connects to the migrated database, through the pooler when there is one.
func (p *program) open(ctx context.Context) (*gorm.DB, error) {
	if err := p.migrateDatabase(ctx); err != nil {
		return nil, err
	}
	db, err := postgres.Open(p.cfg.ServerDatabaseURL().Reveal(), p.log)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func(context.Context) error { return postgres.Close(db) })
	return db, postgres.CheckSchema(ctx, db)
}

// purchases is the purchase service, on Stripe or on its stand-in.
func (p *program) purchases(ctx context.Context, db *gorm.DB) (*purchase.Service, error) {
	if p.cfg.Mode == config.Sandbox {
		cfg, server, err := sandbox.StartStripe(ctx, p.cfg, p.log)
		if err != nil {
			return nil, err
		}
		p.cfg, p.closers = cfg, append(p.closers, server.Close)
	}
	tax, err := p.tax(ctx)
	if err != nil {
		return nil, err
	}
	return &purchase.Service{
		DB: db, AppURL: p.cfg.AppURL, Livemode: p.cfg.Livemode(), Tax: tax, Now: models.Now, Log: p.log,
		Stripe: stripeapi.New(p.cfg.StripeSecretKey.Reveal(), p.cfg.StripeAPIBase),
	}, nil
}

// tax is what the seller's invoices say of value added tax.
func (p *program) tax(ctx context.Context) (purchase.Tax, error) {
	t := purchase.Tax{Automatic: p.cfg.StripeAutomaticTax, IDs: p.cfg.StripeTaxIDs}
	if !p.cfg.SmallBusiness {
		return t, nil
	}
	texts, err := locales.Load()
	if err != nil {
		return t, err
	}
	t.Note = map[string]string{}
	for _, code := range texts.Codes() {
		in, _ := texts.Context(ctx, code)
		t.Note[code] = locales.T(in, "vat.small_business", nil)
	}
	return t, nil
}

// serve is `credits serve`.
func (p *program) serve(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("credits serve", flag.ContinueOnError)
	if err := p.begin(set, "Runs the server until SIGINT or SIGTERM; running requests are finished.", args); err != nil {
		return err
	}
	// Taken first: a port in use is said at once, and an event that is still owed to us finds us listening.
	listener, err := p.listen(ctx)
	if err != nil {
		return p.cfg.ExplainPort(err)
	}
	p.closers = append(p.closers, func(context.Context) error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) { // the server closes it when it stops
			return err
		}
		return nil
	})
	p.exclusive = true
	db, err := p.open(ctx)
	if err != nil && ctx.Err() != nil {
		return errors.New("stopped while starting") // err is what the stop broke off
	}
	if err != nil {
		return err
	}
	h, work, err := p.assemble(ctx, db)
	if err != nil {
		return p.cfg.ExplainDir(err)
	}
	p.announce()
	app := handlers.NewApp(h)
	return p.serveUntil(ctx, app, h.Listen(app, listener), work)
}

// listen opens PORT to everybody, in the sandbox to this machine alone: whoever reaches it may sign in as anybody.
func (p *program) listen(ctx context.Context) (net.Listener, error) {
	port := strconv.Itoa(p.cfg.Port)
	if p.cfg.Mode == config.Sandbox {
		return loopback.Listen(ctx, net.JoinHostPort("127.0.0.1", port))
	}
	var all net.ListenConfig
	return all.Listen(ctx, "tcp", ":"+port)
}

// assemble builds the services, what serves them, and the work that goes on beside it.
func (p *program) assemble(ctx context.Context, db *gorm.DB) (*handlers.Handler, []func(context.Context), error) {
	texts, err := locales.Load()
	if err := errors.Join(err, static.Check()); err != nil {
		return nil, nil, err
	}
	proxies, err := transport.ParseProxies(p.cfg.TrustedProxies)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := p.sessionSecrets()
	if err != nil {
		return nil, nil, err
	}
	buy, err := p.purchases(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	prices := &catalog.Service{DB: db, Stripe: buy.Stripe, Log: p.log}
	if p.cfg.Mode == config.Sandbox {
		if _, err := prices.Sync(ctx); err != nil {
			return nil, nil, fmt.Errorf("prepare the packages: %w", err)
		}
	}
	limits := limit.New(db, nil)
	signIn, err := p.signIn(ctx, db, secrets)
	if err != nil {
		return nil, nil, err
	}
	rows := auth.NewSessions(db, secrets, models.Now)
	events := &webhook.Service{DB: db, Purchase: buy, Catalog: prices, Secrets: p.cfg.WebhookSecrets, Livemode: p.cfg.Livemode(), Now: models.Now, Log: p.log}
	withdrawals := &withdrawal.Service{DB: db, Purchases: buy, Now: models.Now, Log: p.log}
	accounts := &account.Service{DB: db, Purchase: buy, Now: models.Now, Log: p.log}
	compare := &reconcile.Service{DB: db, Purchase: buy, Now: models.Now, Log: p.log}
	spending := &spend.Service{DB: db, Log: p.log}
	h := &handlers.Handler{
		Site: handlers.Site{
			AppURL: p.cfg.AppURL, Sandbox: p.cfg.Mode == config.Sandbox, SmallBusiness: p.cfg.SmallBusiness, Development: !p.cfg.Production(), FormTargets: []string{p.cfg.CheckoutOrigin()}, Proxies: proxies,
			Dashboard: p.cfg.Dashboard(), Legal: handlers.Legal{Imprint: p.cfg.ImprintURL, Terms: p.cfg.TermsURL, Privacy: p.cfg.PrivacyURL}, Texts: texts, Log: p.log, Ready: func(ctx context.Context) error {
				return errors.Join(postgres.Migrated(ctx, db), postgres.CheckReading(ctx, db))
			},
		},
		Sessions: handlers.NewSessions(rows, secrets, p.cfg.Secure()),
		Limits:   limits,
		Auth:     signIn, Keys: apikey.New(db, limits, p.log, nil), Purchase: buy, Catalog: prices, Webhook: events, Ledger: &ledger.Service{DB: db},
		Account: accounts, Withdrawal: withdrawals, Reconcile: compare, Spend: spending, Admin: &admin.Service{DB: db, Purchase: buy, Webhook: events, Log: p.log},
	}
	return h, []func(context.Context){
		events.Run, buy.Run, accounts.Run, compare.Run, spending.Run,
		p.sweep("sweep sessions", time.Minute, rows.Sweep), p.sweep("sweep limits", time.Minute, limits.Sweep),
		p.sweep("sweep withdrawals", time.Minute, withdrawals.Sweep), p.sweep("sweep retained records", time.Hour, accounts.Sweep),
	}, nil
}

// sweep returns background work that deletes expired rows.
func (p *program) sweep(name string, pause time.Duration, sweep func(context.Context) (int64, error)) func(context.Context) {
	job := periodic.Job{Name: name, Pause: pause, Work: func(ctx context.Context) error {
		_, err := sweep(ctx)
		return err
	}}
	return func(ctx context.Context) { job.Run(ctx, p.log) }
}

// sessionSecrets are those that are configured, or the generated one.
func (p *program) sessionSecrets() (secrets seal.Secrets, err error) {
	configured := p.cfg.SessionSecrets
	if len(configured) == 0 {
		generated, err := p.cfg.Generated("session-secret", "")
		if err != nil {
			return nil, err
		}
		configured = config.Secrets{generated.Reveal()}
	}
	for _, secret := range configured {
		secrets = append(secrets, []byte(secret))
	}
	return secrets, nil
}

// signIn offers every provider that is configured. The sandbox brings its own.
func (p *program) signIn(ctx context.Context, db *gorm.DB, secrets seal.Secrets) (*auth.Service, error) {
	if p.cfg.Mode == config.Sandbox {
		cfg, server, err := sandbox.StartIdentity(ctx, p.cfg, p.log)
		if err != nil {
			return nil, err
		}
		p.cfg, p.closers = cfg, append(p.closers, server.Close)
	}
	providers := auth.Configured(p.cfg)
	if p.cfg.Mode == config.Sandbox {
		providers[0].Alias = auth.SandboxIssuer
		if err := auth.AdoptSandbox(ctx, db); err != nil {
			return nil, err
		}
	}
	return auth.New(auth.Options{
		DB: db, AppURL: p.cfg.AppURL, Providers: providers, AdminEmails: p.cfg.AdminEmails, Secrets: secrets, Log: p.log, Now: models.Now,
	})
}

// serveUntil answers requests until ctx ends, then lets the running ones finish.
func (p *program) serveUntil(ctx context.Context, app *fiber.App, listener net.Listener, work []func(context.Context)) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
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
		p.log.Info("stopping")
		if app.ShutdownWithTimeout(shutdownTimeout) != nil {
			err = errors.New("some requests did not finish in time")
		}
	}
	stop()
	running.Wait()
	return err
}

// announce prints, once, what somebody needs who has just started the server.
func (p *program) announce() {
	lines := []string{"", "  Resume Matcher Credits", "", "  Open     " + p.cfg.AppURL}
	if p.cfg.Mode == config.Sandbox {
		lines = append(lines, "  Users    demo@example.com buys and spends, admin@example.com also grants", "  Money    sandbox: no real money moves",
			"  Refunds  "+p.cfg.Dashboard())
	}
	if p.dataDir != "" {
		lines = append(lines, "  Data     "+p.dataDir)
	}
	fmt.Fprintln(p.stdout, strings.Join(append(lines, "  Stop     Ctrl-C", ""), "\n"))
}

// migrate is `credits migrate`.
func (p *program) migrate(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("credits migrate", flag.ContinueOnError)
	if err := p.begin(set, "Brings the database at DATABASE_URL to this version's schema. The server does the same at start.", args); err != nil {
		return err
	}
	if err := p.migrateDatabase(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, "The database has this version's schema.")
	return err
}

// work does what the subcommands of services/command do, with what they need.
func (p *program) work(ctx context.Context, c command.Command) error {
	if err := p.configure(); err != nil {
		return err
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	env := command.Env{DB: db, Log: p.log, Stdout: p.stdout, Stderr: p.stderr}
	if c.Stripe {
		if env.Purchase, err = p.purchases(ctx, db); err != nil {
			return err
		}
		env.Catalog = &catalog.Service{DB: db, Stripe: env.Purchase.Stripe, Log: p.log}
	}
	return c.Run(ctx, env)
}

// errIll ends the program with status 1; why has been printed.
var errIll = errors.New("the set-up needs mending")

// doctor is `credits doctor`. It works on a broken set-up, so nothing but wrong usage and a closed terminal is an error.
func (p *program) doctor(ctx context.Context, args []string) error {
	texts, err := locales.Load()
	if err != nil {
		return err
	}
	set := flag.NewFlagSet("credits doctor", flag.ContinueOnError)
	fix := set.Bool("fix", false, "mend what can be mended: the schema, the prices, the webhook endpoint at Stripe, whose new secret is printed")
	locale := set.String("locale", texts.Terminal(config.Language(p.vars)), "`language` of what is said, de or en; LC_ALL, LC_MESSAGES or LANG if not given")
	if err := p.parse(set, "Checks the set-up and says how to mend it. Ends with 0 unless something is red. In the sandbox it prepares what serve does.", args); err != nil {
		return err
	}
	speak, ok := texts.Context(ctx, *locale)
	if !ok {
		return command.UsageError(fmt.Sprintf("credits doctor speaks de and en, not %q", *locale))
	}
	var problems config.Problems
	if err := p.configure(); err != nil && !errors.As(err, &problems) {
		return err
	}
	setUp := &doctor.SetUp{Problems: problems, Fix: *fix, Now: models.Now, Log: p.log}
	if p.cfg.Mode != config.Sandbox || len(problems) == 0 { // else a sandbox may not be what is wanted
		setUp.Failed = p.standIn(ctx)
	}
	if setUp.Config = p.cfg; doctor.Callable(p.cfg) {
		setUp.Stripe = stripeapi.New(p.cfg.StripeSecretKey.Reveal(), p.cfg.StripeAPIBase)
	}
	checks := setUp.Run(ctx)
	err = doctor.Write(p.stdout, checks, func(key string, args map[string]any) string { return locales.T(speak, key, args) })
	if err == nil && doctor.Ill(checks) {
		err = errIll
	}
	return err
}

// standIn starts what doctor needs and nobody has set up: the private database and, in the sandbox, the stand-ins.
// Errors: fit to be shown.
func (p *program) standIn(ctx context.Context) error {
	var err error
	if !p.cfg.Production() && p.cfg.DatabasePoolURL == "" {
		err = p.startDatabase(ctx)
	}
	if err == nil && p.cfg.Mode == config.Sandbox {
		if _, err = p.purchases(ctx, nil); err == nil {
			_, err = p.signIn(ctx, nil, nil)
		}
	}
	if err != nil {
		return errors.New(logging.Redact(err.Error()))
	}
	return nil
}
