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
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/handlers"
	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/doctor"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/localpg"
	"github.com/resume-matcher/credits/services/observe"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/sandbox"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/webhook"
	"github.com/resume-matcher/credits/static"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version = "development"

// How long running requests, and then everything else, may take to end.
const (
	shutdownTimeout = 12 * time.Second
	closeTimeout    = 3 * time.Second
	restartPause    = time.Second // before work that ended by a panic begins again
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], config.Environment(os.Getenv), os.Stdout, os.Stderr)
	stop()
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errIll):
		os.Exit(1)
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "credits: "+err.Error())
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "credits: "+observe.Redact(err.Error()))
		os.Exit(1)
	}
}

// usageError is a wrong call of the program: exit status 2.
type usageError string

// Error is the text for the operator.
func (e usageError) Error() string { return string(e) }

const usage = `Usage: credits [command]

  serve          run the server (the default)
  migrate        bring the database to this version's schema
  prices sync    bring Stripe's product and prices to our packages, and our table to Stripe's
  reconcile      compare what Stripe has with what was booked, and mend it
  doctor         check the set-up and say how to mend it
  grant          give a user credits by hand
  version        print the version

"credits COMMAND -h" explains a command. Settings are environment variables; .env.example lists them all.
`

// run is the program: one switch over the subcommands.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	p := &program{getenv: getenv, stdout: stdout, stderr: stderr}
	defer p.close()
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve":
		return p.serve(ctx, args)
	case "migrate":
		return p.migrate(ctx, args)
	case "prices":
		return p.syncPrices(ctx, args)
	case "reconcile":
		return p.reconcile(ctx, args)
	case "doctor":
		return p.doctor(ctx, args)
	case "grant":
		return p.grant(ctx, args)
	case "version":
		_, err := fmt.Fprintln(stdout, version)
		return err
	case "help", "-h", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	}
	return usageError(fmt.Sprintf("there is no command %q\n\n%s", command, usage))
}

// program is what the subcommands share, filled in as they need it.
type program struct {
	getenv         func(string) string
	stdout, stderr io.Writer

	cfg     config.Config
	log     *slog.Logger
	dataDir string // where the private database lies; empty with DATABASE_URL
	closers []func(context.Context) error
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

// begin parses a subcommand's arguments and reads the configuration. Errors: usageError; flag.ErrHelp after an
// explanation.
func (p *program) begin(set *flag.FlagSet, explanation string, args []string) error {
	if err := p.parse(set, explanation, args); err != nil {
		return err
	}
	return p.configure()
}

// configure reads the configuration, as far as it can be read.
func (p *program) configure() (err error) {
	p.cfg, err = config.Load(p.getenv)
	p.log = observe.NewLogger(p.stderr, p.cfg.LogLevel, p.cfg.LogFormat)
	return err
}

// parse is the first half of begin.
func (p *program) parse(set *flag.FlagSet, explanation string, args []string) error {
	set.SetOutput(io.Discard)
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(p.stdout, "Usage: %s\n\n%s\n", set.Name(), explanation)
		set.SetOutput(p.stdout)
		set.PrintDefaults()
		return err
	}
	if err == nil && set.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if err != nil {
		return usageError(fmt.Sprintf("%s: %v", set.Name(), err))
	}
	return nil
}

// startDatabase makes sure that there is a PostgreSQL.
func (p *program) startDatabase(ctx context.Context) error {
	if p.cfg.DatabaseURL != "" {
		return nil
	}
	server, err := localpg.Start(ctx, localpg.Options{Dir: p.cfg.DataDir, BinDir: p.cfg.PostgresBinDir, Progress: p.stderr, Log: p.log})
	if err != nil {
		return fmt.Errorf("start the private database: %w", err)
	}
	p.closers = append(p.closers, func(context.Context) error { return server.Stop() })
	p.cfg.DatabaseURL, p.dataDir = config.Secret(server.URL()), server.Dir()
	return nil
}

// migrateDatabase makes sure that there is a PostgreSQL and brings it to our schema.
func (p *program) migrateDatabase(ctx context.Context) error {
	if err := p.startDatabase(ctx); err != nil {
		return err
	}
	return models.Migrate(ctx, p.cfg.DatabaseURL.Reveal(), p.log)
}

// open connects to the migrated database, through the pooler when there is one.
func (p *program) open(ctx context.Context) (*gorm.DB, error) {
	if err := p.migrateDatabase(ctx); err != nil {
		return nil, err
	}
	db, err := models.Open(p.cfg.ServerDatabaseURL().Reveal(), p.log)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, func(context.Context) error { return models.Close(db) })
	return db, models.CheckSchema(ctx, db)
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
	return &purchase.Service{
		DB: db, AppURL: p.cfg.AppURL, Livemode: p.cfg.Livemode(), Now: models.Now, Log: p.log,
		Stripe: purchase.NewStripe(p.cfg.StripeSecretKey.Reveal(), p.cfg.StripeAPIBase),
	}, nil
}

// serve is `credits serve`.
func (p *program) serve(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("credits serve", flag.ContinueOnError)
	if err := p.begin(set, "Runs the server until SIGINT or SIGTERM; running requests are finished.", args); err != nil {
		return err
	}
	// Taken first: a port in use is said at once, and an event that is still owed to us finds us listening.
	listener, err := net.Listen("tcp", ":"+strconv.Itoa(p.cfg.Port))
	if err != nil {
		return fmt.Errorf("port %d cannot be used; set PORT to another: %w", p.cfg.Port, err)
	}
	p.closers = append(p.closers, func(context.Context) error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) { // the server closes it when it stops
			return err
		}
		return nil
	})
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	app, work, err := p.assemble(ctx, db)
	if err != nil {
		return err
	}
	p.announce()
	return p.serveUntil(ctx, app, listener, work)
}

// assemble builds the services, the server on them, and the work that goes on beside it.
func (p *program) assemble(ctx context.Context, db *gorm.DB) (*fiber.App, []func(context.Context), error) {
	texts, err := locales.Load()
	if err := errors.Join(err, static.Check()); err != nil {
		return nil, nil, err
	}
	secret := p.cfg.SessionSecret
	if secret == "" {
		if secret, err = p.cfg.Generated("session-secret", ""); err != nil {
			return nil, nil, err
		}
	}
	buy, err := p.purchases(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	if p.cfg.Mode == config.Sandbox {
		if _, err := buy.SyncPrices(ctx); err != nil {
			return nil, nil, fmt.Errorf("prepare the packages: %w", err)
		}
	}
	signIn, err := p.signIn(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	rows := auth.NewSessions(db, []byte(secret), models.Now)
	events := &webhook.Service{DB: db, Purchase: buy, Secrets: p.cfg.WebhookSecrets, Livemode: p.cfg.Livemode(), Now: models.Now, Log: p.log}
	spending := &spend.Service{DB: db, Log: p.log}
	app := handlers.NewApp(&handlers.Handler{
		Site: handlers.Site{
			AppURL: p.cfg.AppURL, Sandbox: p.cfg.Mode == config.Sandbox, FormTargets: []string{p.cfg.CheckoutOrigin()}, Proxies: p.cfg.TrustedProxies,
			Dashboard: p.cfg.Dashboard(), Texts: texts, Log: p.log, Ready: func(ctx context.Context) error { return models.Migrated(ctx, db) },
		},
		Sessions: handlers.NewSessions(rows, []byte(secret), p.cfg.Secure()),
		Auth:     signIn, Purchase: buy, Webhook: events, Ledger: &ledger.Service{DB: db},
		Spend: spending, Admin: &admin.Service{DB: db, Purchase: buy, Log: p.log},
	})
	return app, []func(context.Context){events.Run, buy.Run, buy.RunReconcile, spending.Run, func(ctx context.Context) { auth.RunSweeps(ctx, p.log, rows.Sweep, signIn.Keys.Sweep) }}, nil
}

// signIn offers every provider that is configured. The sandbox brings its own unless there is a real one in its place.
func (p *program) signIn(ctx context.Context, db *gorm.DB) (*auth.Service, error) {
	if p.cfg.Mode == config.Sandbox && !p.cfg.OIDC.Set() {
		cfg, server, err := sandbox.StartIdentity(ctx, p.cfg, p.log)
		if err != nil {
			return nil, err
		}
		p.cfg, p.closers = cfg, append(p.closers, server.Close)
	}
	return auth.New(auth.Options{
		DB: db, AppURL: p.cfg.AppURL, Providers: auth.Configured(p.cfg), AdminEmails: p.cfg.AdminEmails, Log: p.log, Now: models.Now,
	})
}

// serveUntil answers requests until ctx ends, then lets the running ones finish.
func (p *program) serveUntil(ctx context.Context, app *fiber.App, listener net.Listener, work []func(context.Context)) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, w := range work {
		running.Go(func() { p.keep(working, w) })
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

// keep runs w until ctx ends. A panic ends neither the process nor, for longer than a moment, the work.
func (p *program) keep(ctx context.Context, w func(context.Context)) {
	for ctx.Err() == nil {
		func() {
			defer func() {
				if r := recover(); r != nil {
					p.log.ErrorContext(ctx, "panic beside the server", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
				}
			}()
			w(ctx)
		}()
		select {
		case <-ctx.Done():
		case <-time.After(restartPause):
		}
	}
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

// syncPrices is `credits prices sync`.
func (p *program) syncPrices(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("credits prices sync", flag.ContinueOnError)
	if len(args) > 0 && args[0] == "sync" {
		args = args[1:]
	} else if !slices.Contains(args, "-h") {
		return usageError("prices knows one thing: credits prices sync")
	}
	if err := p.begin(set, "Creates or updates the product and prices at Stripe and copies them into our table.", args); err != nil {
		return err
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	buy, err := p.purchases(ctx, db)
	if err != nil {
		return err
	}
	n, err := buy.SyncPrices(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%d prices are the same here and at Stripe.\n", n)
	return err
}

// reconcile is `credits reconcile`.
func (p *program) reconcile(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("credits reconcile", flag.ContinueOnError)
	if err := p.begin(set, "Reads the Checkout Sessions, refunds and disputes of the last 30 days from Stripe, books what is missing,\n"+
		"and compares every balance with its ledger lines. The server does the same every hour.", args); err != nil {
		return err
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	buy, err := p.purchases(ctx, db)
	if err != nil {
		return err
	}
	report, err := buy.Reconcile(ctx)
	if errors.Is(err, purchase.ErrReconciling) {
		return errors.New("another process is reconciling; /admin/events shows how far it has come")
	}
	if err != nil {
		return fmt.Errorf("reconciling stopped and will go on from there: %w", err)
	}
	return printReport(p.stdout, report)
}

// printReport prints one line for each finding, and how much was compared.
func printReport(w io.Writer, report purchase.Report) error {
	said := map[models.FindingKind]string{
		models.FindingPurchase: "paid and not credited, mended", models.FindingRefund: "refund not booked, mended",
		models.FindingDispute: "dispute not booked, mended", models.FindingBalance: "balance differed from its ledger lines, mended",
		models.FindingReview: "needs a person",
	}
	var lines strings.Builder
	for _, f := range report.Findings {
		fmt.Fprintf(&lines, "%s: %s", f.ObjectID, said[f.Kind])
		if f.Credits != 0 {
			fmt.Fprintf(&lines, " (%+d credits)", f.Credits)
		}
		if f.Note != "" {
			fmt.Fprintf(&lines, ": %s", f.Note)
		}
		lines.WriteString("\n")
	}
	if len(report.Findings) == 0 {
		lines.WriteString("Nothing to mend.\n")
	}
	fmt.Fprintf(&lines, "Compared %d sessions, refunds, disputes and balances.\n", report.Checked)
	_, err := io.WriteString(w, lines.String())
	return err
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
	locale := set.String("locale", texts.Terminal(config.Language(p.getenv)), "`language` of what is said, de or en; LC_ALL, LC_MESSAGES or LANG if not given")
	if err := p.parse(set, "Checks the set-up and says how to mend it. Ends with 0 unless something is red. In the sandbox it prepares what serve does.", args); err != nil {
		return err
	}
	speak, ok := texts.Context(ctx, *locale)
	if !ok {
		return usageError(fmt.Sprintf("credits doctor speaks de and en, not %q", *locale))
	}
	var problems config.Problems
	if err := p.configure(); err != nil && !errors.As(err, &problems) {
		return err
	}
	setUp := &doctor.SetUp{Problems: problems, Fix: *fix, Failed: p.standIn(ctx), Now: models.Now, Log: p.log}
	if setUp.Config = p.cfg; doctor.Callable(p.cfg) {
		setUp.Stripe = purchase.NewStripe(p.cfg.StripeSecretKey.Reveal(), p.cfg.StripeAPIBase)
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
			_, err = p.signIn(ctx, nil)
		}
	}
	if err != nil {
		return errors.New(observe.Redact(err.Error()))
	}
	return nil
}

// grant is `credits grant`.
func (p *program) grant(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("credits grant", flag.ContinueOnError)
	email := set.String("email", "", "e-mail `address` of the user")
	credits := set.Int64("credits", 0, "`number` of credits, 1 to 100000; negative takes them back")
	note := set.String("note", "", "the `reason`, shown to the user and kept in the audit log")
	if err := p.begin(set, "Gives a user credits by hand.", args); err != nil {
		return err
	}
	if *email == "" || *credits == 0 || strings.TrimSpace(*note) == "" {
		return usageError("grant needs --email, --credits and --note; credits grant -h explains them")
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	staff := &admin.Service{DB: db, Log: p.log}
	user, err := staff.UserByEmail(ctx, *email)
	if fault.Is(err, fault.NotFound) {
		return errors.New("no user has this e-mail address")
	}
	if err != nil {
		return err
	}
	posted, err := staff.Grant(ctx, admin.Grant{UserID: user.ID, Delta: models.Credits(*credits), Note: *note, Key: uuid.NewString()})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Booked %d credits for user %d. Balance: %d credits.\n", posted.DeltaCredits, user.ID, posted.BalanceAfter)
	return err
}
