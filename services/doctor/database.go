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
	case s.complained(name) && s.Config.DatabaseURL != "":
		return s.misaddressed(area, name)
	case s.Config.DatabaseURL == "" && (s.Failed != nil && !s.Config.Production() || s.sandbox()):
		return area.warning("doctor.unchecked.above", nil)
	case s.Config.DatabaseURL == "":
		return area.wrong(name, "doctor.database.missing")
	}
	looking, cancel := limited(ctx)
	defer cancel()
	c, err := postgres.Inspect(looking, s.Config.DatabaseURL.Reveal())
	if err != nil {
		return refused(area, name, err)
	}
	checks := area.named(c, name)
	if c.Pooled() {
		checks = append(checks, area.wrong(name, "doctor.database.pooled")...)
	}
	checks = append(checks, area.settings(ctx, name, s.Config.DatabaseURL.Reveal())...)
	schema := s.checkSchema(ctx, area, c)
	s.migrated = !Ill(schema) && !s.complained("DATABASE_POOL_URL") && (c.Named || !c.Shared || s.Config.DatabasePoolURL != "") // a pooler unawares refuses our server
	if Ill(schema) || len(checks) > 0 {
		return append(checks, schema...)
	}
	return area.ok("doctor.database.ok", facts{"version": strconv.Itoa(c.Version), "schema": strconv.FormatInt(c.Want, 10)})
}

// misaddressed says what the configuration refuses an address of a database for.
func (s *SetUp) misaddressed(a area, name string) []Check {
	switch {
	case s.complainedOf(name, config.NotForSandbox):
		return a.wrong(name, "doctor.database.not_for_sandbox")
	case s.complainedOf(name, config.UnverifiedTLS):
		return a.wrong(name, "doctor.database.unverified")
	}
	return a.wrong(name, "doctor.database.shape")
}

// named is what may be wrong with the server behind either address.
func (a area) named(c postgres.Connection, name string) (checks []Check) {
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

// settings are those of the database that do not fit, as the server's own connections see them.
func (a area) settings(ctx context.Context, name, address string) (checks []Check) {
	err := postgres.InspectSettings(ctx, address)
	var wrong postgres.WrongSettings
	switch {
	case errors.As(err, &wrong):
		for _, w := range wrong {
			checks = append(checks, a.red("doctor.database.settings", facts{"setting": name, "name": w.Name, "value": w.Value, "wanted": w.Want,
				"mend": w.Mend})...)
		}
	case errors.Is(err, postgres.ErrUnreadable):
		checks = a.red("doctor.database.unreadable", facts{"setting": name})
	}
	return checks // any other error is one of the connection, and told as such
}

// refused says why a database could not be used.
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

// checkSchema compares the schema with this binary's and brings it there if it is to be mended.
func (s *SetUp) checkSchema(ctx context.Context, a area, c postgres.Connection) []Check {
	versions := facts{"have": strconv.FormatInt(c.Have, 10), "want": strconv.FormatInt(c.Want, 10)}
	switch {
	case c.Have > c.Want:
		return a.red("doctor.database.newer", versions)
	case c.Have < c.Want && (!s.mends() || c.Shared && !c.Named): // migrations must know of a pooler to get through it
		return a.red("doctor.database.older", versions)
	case c.Have < c.Want:
		if err := postgres.MigrateFor(ctx, s.Config.DatabaseURL.Reveal(), s.Config.ServerDatabaseURL().Reveal(), s.Log); err != nil {
			s.Log.ErrorContext(ctx, "not migrated", "err", err)
			return a.red("doctor.database.not_migrated", versions)
		}
	}
	return a.ok("doctor.database.ok", versions)
}

// checkPooler looks at the address that the server uses, when it is another.
func (s *SetUp) checkPooler(ctx context.Context) []Check {
	const area, name = area("doctor.area.pooler"), "DATABASE_POOL_URL"
	switch {
	case s.Config.DatabasePoolURL == "" && s.Config.Mode == config.Sandbox:
		return nil
	case s.Config.DatabasePoolURL == "":
		return area.ok("doctor.pooler.none", nil)
	case s.complained(name):
		return s.misaddressed(area, name)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	pool := s.Config.DatabasePoolURL.Reveal()
	c, err := postgres.Inspect(ctx, pool)
	if err != nil {
		return refused(area, name, err)
	}
	checks := area.named(c, name)
	if !c.Shared && !c.Direct {
		checks = append(checks, area.warning("doctor.pooler.direct", facts{"setting": name})...)
	}
	server := s.Config.ServerDatabaseURL().Reveal()
	if s.mends() {
		if err := postgres.PinDefaults(ctx, server); err != nil { // what it did not reach is found below
			s.Log.WarnContext(ctx, "defaults of the server's role not set", "err", err)
		}
	}
	checks = append(checks, area.settings(ctx, name, server)...)
	if s.Config.DatabaseURL != "" && !s.complained("DATABASE_URL") {
		same, err := postgres.SameDatabase(ctx, s.Config.DatabaseURL.Reveal(), pool)
		if err == nil && !same { // an error is one of DATABASE_URL, and told there
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

// checkRole looks at what the server could do to the ledger that it must not. In the sandbox there is none to protect.
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
