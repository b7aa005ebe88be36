package doctor

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/config"
)

func (s *SetUp) checkDatabase(ctx context.Context) []Check {
	const area, name = area("doctor.area.database"), "DATABASE_URL"
	switch {
	case s.hasProblem(name) && s.Config.DatabaseURL != "":
		return s.invalidAddress(area, name)
	case s.Config.DatabaseURL == "" && (s.Failed != nil && !s.Config.Production() || s.sandbox()):
		return area.warning("doctor.unchecked.above", nil)
	case s.Config.DatabaseURL == "":
		return area.wrong(name, "doctor.database.missing")
	}
	limitedCtx, cancel := limited(ctx)
	defer cancel()
	c, err := postgres.Inspect(limitedCtx, s.Config.DatabaseURL.Reveal())
	if err != nil {
		return refused(area, name, err)
	}
	checks := area.server(c, name)
	if c.Pooled() {
		checks = append(checks, area.wrong(name, "doctor.database.pooled")...)
	}
	checks = append(checks, area.settings(ctx, name, s.Config.DatabaseURL.Reveal())...)
	schema := s.checkSchema(ctx, area, c)
	// our server refuses an unknown pooler
	s.migrated = !AnyRed(schema) && !s.hasProblem("DATABASE_POOL_URL") &&
		(c.Named || !c.Shared || s.Config.DatabasePoolURL != "")
	if checks = append(checks, schema...); len(checks) > 0 {
		return checks
	}
	return area.ok("doctor.database.ok", facts{"version": strconv.Itoa(c.Version),
		"schema": strconv.FormatInt(c.Want, 10)})
}

// invalidAddress reports why config refuses the address of a database.
func (s *SetUp) invalidAddress(a area, name string) []Check {
	switch {
	case s.hasProblemKind(name, config.NotForSandbox):
		return a.wrong(name, "doctor.database.not_for_sandbox")
	case s.hasProblemKind(name, config.UnverifiedTLS):
		return a.wrong(name, "doctor.database.unverified")
	case s.hasProblemKind(name, config.ForeignParameter):
		return nil // checkConfiguration names the parameter
	}
	return a.wrong(name, "doctor.database.shape")
}

// server checks the version and the encryption of the server behind an address.
func (a area) server(c postgres.Connection, name string) (checks []Check) {
	if c.Version < postgres.OldestPostgres {
		checks = append(checks, a.red("doctor.database.old", facts{"setting": name, "version": strconv.Itoa(c.Version),
			"wanted": strconv.Itoa(postgres.OldestPostgres)})...)
	}
	if c.Encrypted || c.Remote == nil || c.Remote.IsLoopback() {
		return checks
	}
	if c.Remote.IsPrivate() || c.Remote.IsLinkLocalUnicast() {
		return append(checks, a.warning("doctor.database.plain_private", facts{"setting": name})...)
	}
	return append(checks, a.wrong(name, "doctor.database.plain")...)
}

// settings checks the database's settings, as the server's connections see them.
func (a area) settings(ctx context.Context, name, address string) (checks []Check) {
	err := postgres.InspectSettings(ctx, address)
	var wrong postgres.WrongSettings
	switch {
	case errors.As(err, &wrong):
		for _, w := range wrong {
			checks = append(checks, a.red("doctor.database.settings",
				facts{"setting": name, "name": w.Name, "value": w.Value, "wanted": w.Want,
					"mend": w.Mend})...)
		}
	case errors.Is(err, postgres.ErrUnreadable):
		checks = a.red("doctor.database.unreadable", facts{"setting": name})
	}
	return checks // other errors are the connection's, which its check reports
}

// refused reports why a connection failed.
func refused(a area, name string, err error) []Check {
	switch postgres.RefusalOf(err) {
	case postgres.RefusedLogin:
		return a.wrong(name, "doctor.database.refused_login")
	case postgres.RefusedDatabase:
		return a.wrong(name, "doctor.database.refused_database")
	case postgres.RefusedTLS:
		return a.wrong(name, "doctor.database.refused_tls")
	case postgres.RefusedAway:
		return a.wrong(name, "doctor.database.away")
	}
	return a.wrong(name, "doctor.database.refused")
}

// checkSchema compares the schema with this binary's, and migrates it if doctor mends. It finds nothing if they agree.
func (s *SetUp) checkSchema(ctx context.Context, a area, c postgres.Connection) (checks []Check) {
	versions := facts{"have": strconv.FormatInt(c.Have, 10), "want": strconv.FormatInt(c.Want, 10)}
	switch {
	case c.Have < c.Want && (!s.mends() || c.Shared && !c.Named): // migrations need to know of a pooler
		return a.red("doctor.database.older", versions)
	case c.Have < c.Want:
		if err := postgres.MigrateFor(ctx, s.Config.DatabaseURL.Reveal(), s.Config.ServerDatabaseURL().Reveal(),
			s.Log); err != nil {
			s.Log.ErrorContext(ctx, "migrate failed", "err", err)
			return a.red("doctor.database.not_migrated", versions)
		}
		migrated, err := postgres.Inspect(ctx, s.Config.DatabaseURL.Reveal())
		if err != nil {
			return refused(a, "DATABASE_URL", err)
		}
		return s.checkSchema(ctx, a, migrated)
	case c.Have > c.Want:
		checks = a.warning("doctor.database.newer", versions)
	}
	named := func(names []string) facts {
		return facts{"have": versions["have"], "names": strings.Join(names, ", ")}
	}
	if len(c.Schema.Missing) > 0 {
		checks = append(checks, a.red("doctor.database.lacks", named(c.Schema.Missing))...)
	}
	if len(c.Schema.Changed) > 0 {
		checks = append(checks, a.red("doctor.database.changed", named(c.Schema.Changed))...)
	}
	if len(c.Schema.Extra) > 0 && c.Have == c.Want {
		checks = append(checks, a.warning("doctor.database.extra", named(c.Schema.Extra))...)
	}
	return checks
}

// checkPooler checks the pooler's address, if there is one.
func (s *SetUp) checkPooler(ctx context.Context) []Check {
	const area, name = area("doctor.area.pooler"), "DATABASE_POOL_URL"
	switch {
	case s.Config.DatabasePoolURL == "" && s.Config.Mode == config.Sandbox:
		return nil
	case s.Config.DatabasePoolURL == "":
		return area.ok("doctor.pooler.none", nil)
	case s.hasProblem(name):
		return s.invalidAddress(area, name)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	pool := s.Config.DatabasePoolURL.Reveal()
	c, err := postgres.Inspect(ctx, pool)
	if err != nil {
		return refused(area, name, err)
	}
	checks := area.server(c, name)
	if !c.Shared && !c.Direct {
		checks = append(checks, area.warning("doctor.pooler.direct", facts{"setting": name})...)
	}
	server := s.Config.ServerDatabaseURL().Reveal()
	if s.mends() {
		if err := postgres.PinDefaults(ctx, server); err != nil { // the settings are checked below
			s.Log.WarnContext(ctx, "set defaults of the server's role failed", "err", err)
		}
	}
	checks = append(checks, area.settings(ctx, name, server)...)
	if s.Config.DatabaseURL != "" && !s.hasProblem("DATABASE_URL") {
		same, err := postgres.SameDatabase(ctx, s.Config.DatabaseURL.Reveal(), pool)
		if err == nil && !same { // checkDatabase reports errors of DATABASE_URL
			checks = append(checks, area.wrong(name, "doctor.pooler.other_database")...)
		}
	}
	if len(checks) > 0 {
		return checks
	}
	if c.Direct {
		return area.ok("doctor.pooler.role", nil)
	}
	return area.ok("doctor.pooler.ok", nil)
}

// checkRole lists rights of the server's role that endanger the ledger. The sandbox has none to protect.
func (s *SetUp) checkRole(ctx context.Context) []Check {
	const area = area("doctor.area.role")
	if !s.migrated {
		return area.warning("doctor.unchecked.database", nil)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	powers, err := postgres.Powers(ctx, s.Config.ServerDatabaseURL().Reveal())
	switch {
	case err != nil:
		return area.warning("doctor.unchecked.database", nil)
	case len(powers) == 0:
		return area.ok("doctor.role.ok", nil)
	case s.sandbox():
		return area.ok("doctor.role.sandbox", nil)
	}
	return area.warning("doctor.role.powers", facts{"powers": strings.Join(powers, ", ")})
}
