package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/errorreport"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/localpg"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/sandbox"
	"github.com/resume-matcher/credits/services/seal"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/tracing"
)

// closeTimeout is how long each thing that was opened may take to close.
const closeTimeout = 3 * time.Second

// Program is one run of the binary. main fills in the first fields; the subcommands prepare the others as they need
// them.
type Program struct {
	Version        string
	Commit         string // of the source code; may be empty
	Licences       func() string
	Variables      config.Variables
	Stdin          io.Reader // answers of setup
	Stdout, Stderr io.Writer
	Serve          func(ctx context.Context, p *Program) error // runs the server until ctx ends

	Config  config.Config
	Log     *slog.Logger
	Texts   *locales.Catalog
	Legal   legal.Library   // of serve
	DataDir string          // of the private database; empty with DATABASE_URL
	Tracing *tracing.Tracer // nil without a collector

	serves    bool // serve: the private database must be its own
	announced bool
	reports   *errorreport.Reporter // nil without Sentry
	closers   []func(context.Context) error
}

// OnClose registers what the end of the program closes, the last first.
func (p *Program) OnClose(end func(context.Context) error) { p.closers = append(p.closers, end) }

func (p *Program) close() {
	for _, end := range slices.Backward(p.closers) {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		if err := end(ctx); err != nil {
			p.Log.Error("close failed", "err", err)
		}
		cancel()
	}
	if p.announced {
		p.Log.Info("stopped")
	}
}

// observe exports what the server does: errors to Sentry and traces to a collector, where the settings name them.
func (p *Program) observe(ctx context.Context) (err error) {
	if dsn := p.Config.SentryDSN.Reveal(); dsn != "" {
		p.reports, err = errorreport.New(errorreport.Options{DSN: dsn, Release: p.release(),
			Environment: p.Config.AppEnv, Mode: string(p.Config.Mode)})
		if err != nil {
			return err
		}
		p.Log = slog.New(p.reports.Handler(p.Log.Handler()))
		p.OnClose(func(ctx context.Context) error { return p.reports.Flush(ctx) })
	}
	if url := p.Config.Tracing.URL(); url != "" {
		p.Tracing, err = tracing.New(ctx, tracing.Options{URL: url, Headers: p.Config.Tracing.HeaderMap(),
			Version: p.release(), Environment: p.Config.AppEnv, Log: p.Log})
		if err != nil {
			return err
		}
		p.OnClose(p.Tracing.Shutdown)
	}
	return nil
}

// flushReports sends the errors that have not reached Sentry yet.
func (p *Program) flushReports() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = p.reports.Flush(ctx) // the log has them
}

// release names this build: the version and, where it is known, the commit.
func (p *Program) release() string {
	if p.Commit == "" {
		return p.Version
	}
	return p.Version + "+" + p.Commit
}

// configure reads the configuration, as far as it can be read.
func (p *Program) configure() (err error) {
	p.Config, err = config.Load(p.Variables)
	p.Log = logging.NewLogger(p.Stderr, p.Config.LogLevel, p.Config.LogFormat)
	return err
}

// startDatabase starts the private PostgreSQL, unless the operator has set another.
func (p *Program) startDatabase(ctx context.Context) error {
	if p.Config.DatabaseURL != "" {
		return nil
	}
	progress := p.Stderr
	if p.Config.LogFormat == "json" {
		progress = nil
	}
	server, err := localpg.Start(ctx, localpg.Options{
		Dir: p.Config.DataDir, BinDir: p.Config.PostgresBinDir, Exclusive: p.serves, Progress: progress, Log: p.Log,
	})
	if err != nil {
		return p.Config.ExplainDir(fmt.Errorf("start the private database: %w", err))
	}
	p.OnClose(func(context.Context) error { return server.Stop() })
	p.Config.DatabaseURL, p.DataDir = config.Secret(server.URL()), server.Dir()
	p.Config.DatabasePoolURL = config.Secret(server.ServerURL() + "&pgbouncer=false") // no pooler: the role of less power
	return nil
}

// migrateDatabase brings the database to this version's schema.
func (p *Program) migrateDatabase(ctx context.Context) error {
	if err := p.startDatabase(ctx); err != nil {
		return err
	}
	err := postgres.MigrateFor(ctx, p.Config.DatabaseURL.Reveal(), p.Config.ServerDatabaseURL().Reveal(), p.Log)
	if postgres.DiskFull(err) && p.DataDir != "" {
		return p.Config.ExplainDir(fmt.Errorf("migrate: %w", syscall.ENOSPC))
	}
	return err
}

// OpenDatabase migrates the database and connects to it.
func (p *Program) OpenDatabase(ctx context.Context) (*gorm.DB, error) {
	if err := p.migrateDatabase(ctx); err != nil {
		return nil, err
	}
	return p.connect(ctx)
}

// connect connects to the database, through the pooler if there is one.
// Errors: postgres.ErrSchema when it has not been migrated.
func (p *Program) connect(ctx context.Context) (*gorm.DB, error) {
	if err := p.startDatabase(ctx); err != nil {
		return nil, err
	}
	db, err := p.Connections(p.Config.DatabaseMax, p.Log)
	if err != nil {
		return nil, err
	}
	return db, postgres.Migrated(ctx, db)
}

// Connections opens a pool of that many connections at most, and closes it with the program. A nil log means none.
func (p *Program) Connections(most int, log *slog.Logger) (*gorm.DB, error) {
	db, err := postgres.OpenSized(p.Config.ServerDatabaseURL().Reveal(), most, log)
	if err == nil {
		p.OnClose(func(context.Context) error { return postgres.Close(db) })
	}
	return db, err
}

// read reads the configuration and connects to the database, for commands that change nothing: they do not migrate.
func (p *Program) read(ctx context.Context) (*gorm.DB, error) {
	if err := p.configure(); err != nil {
		return nil, err
	}
	return p.connect(ctx)
}

// open reads the configuration and opens the database.
func (p *Program) open(ctx context.Context) (*gorm.DB, error) {
	if err := p.configure(); err != nil {
		return nil, err
	}
	return p.OpenDatabase(ctx)
}

// Purchases returns the purchase service, on Stripe or, in the sandbox, on the stand-in that it starts.
func (p *Program) Purchases(ctx context.Context, db *gorm.DB) (*purchase.Service, error) {
	if p.Config.Mode == config.Sandbox {
		cfg, server, err := sandbox.StartStripe(ctx, p.Config, p.Log)
		if err != nil {
			return nil, err
		}
		p.Config = cfg
		p.OnClose(server.Close)
	}
	tax := purchase.Tax{Automatic: p.Config.StripeAutomaticTax, IDs: p.Config.StripeTaxIDs}
	if p.Config.SmallBusiness {
		tax.Note = p.Texts.All("vat.small_business")
	}
	return &purchase.Service{
		DB: db, AppURL: p.Config.AppURL, Livemode: p.Config.Livemode(), Tax: tax, Now: models.Now, Log: p.Log,
		HoldWithoutConsent: p.Config.HoldWithoutConsent,

		Goodwill:  purchase.Goodwill{Days: p.Config.GoodwillDays, Percent: p.Config.GoodwillPercent},
		OrderText: p.orderText,
		Stripe:    stripeapi.New(p.Config.StripeSecretKey.Reveal(), p.Config.StripeAPIBase),
	}, nil
}

// SignIn returns the sign-in service with every configured provider or, in the sandbox and where a developer tries
// Stripe's test mode, with the stand-in that it starts.
func (p *Program) SignIn(
	ctx context.Context, db *gorm.DB, secrets seal.Secrets, claim func(context.Context, int64),
) (*auth.Service, error) {
	if p.Config.LocalSignIn {
		cfg, server, err := sandbox.StartIdentity(ctx, p.Config, p.Log)
		if err != nil {
			return nil, err
		}
		p.Config = cfg
		p.OnClose(server.Close)
	}
	providers := auth.Configured(p.Config)
	if p.Config.LocalSignIn {
		providers[0].Alias = auth.SandboxIssuer
		if err := auth.AdoptSandbox(ctx, db); err != nil {
			return nil, err
		}
	}
	return auth.New(auth.Options{
		DB: db, AppURL: p.Config.AppURL, Providers: providers, AdminEmails: p.Config.AdminEmails,
		HelperEmails: p.Config.HelperEmails, Secrets: secrets, Claim: claim, Log: p.Log, Now: models.Now,
	})
}

// SessionSecrets are the configured ones or, outside production, the generated one.
func (p *Program) SessionSecrets() (secrets seal.Secrets, err error) {
	configured := p.Config.SessionSecrets
	if len(configured) == 0 {
		generated, err := p.Config.Generated("session-secret", "")
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
