package doctor

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestUnusableDatabase(t *testing.T) {
	base := healthy(t)
	t.Run("not reachable", func(t *testing.T) {
		base.forTest(t).with("DATABASE_URL", "postgres://app:hunter2@127.0.0.1:9/app").wantRed("doctor.database.away")
	})
	t.Run("not an address of PostgreSQL", func(t *testing.T) {
		base.forTest(t).with("DATABASE_URL", "mysql://app@localhost/app").wantRed("doctor.database.shape")
	})
	t.Run("of another schema", func(t *testing.T) {
		f := base.forTest(t)
		f.with("DATABASE_URL", f.env["DATABASE_URL"]+"&search_path=theirs").wantRed("doctor.configuration.parameter")
	})
	t.Run("not migrated", func(t *testing.T) {
		f := base.forTest(t).with("DATABASE_URL", dbtest.Empty(t))
		f.wantRed("doctor.database.older")
		f.fix()
		f.wantWarning("doctor.prices.other_installation") // another database created the prices at Stripe
	})
	t.Run("of a newer program", func(t *testing.T) {
		f := base.forTest(t)
		f.must(f.db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`).Error)
		f.wantWarning("doctor.database.newer")
		f.must(f.db.Exec(`DELETE FROM goose_db_version WHERE version_id = 99999`).Error)
	})
}

func TestSchemaThatIsNotOurs(t *testing.T) {
	f := healthy(t)
	for _, c := range []struct {
		do, undo string
		want     func(...string)
		finding  string
	}{
		{`ALTER TABLE users DISABLE TRIGGER users_deletion_is_final`, `ALTER TABLE users ENABLE TRIGGER users_deletion_is_final`,
			f.wantRed, "doctor.database.changed"},
		{`DROP INDEX gate_passes_expires_at`, `CREATE INDEX gate_passes_expires_at ON gate_passes (expires_at)`,
			f.wantRed, "doctor.database.lacks"},
		{`CREATE TABLE notes (id integer)`, `DROP TABLE notes`, f.wantWarning, "doctor.database.extra"},
	} {
		f.must(f.db.Exec(c.do).Error)
		c.want(c.finding)
		f.must(f.db.Exec(c.undo).Error)
		f.wantHealthy()
	}
}

func TestPoolerAsDirectConnection(t *testing.T) {
	base := healthy(t)
	t.Run("unmarked in its address", func(t *testing.T) {
		f := base.forTest(t)
		f.with("DATABASE_URL", dbtest.Pooler(t, f.env["DATABASE_URL"])).wantRed("doctor.database.pooled")
	})
	t.Run("marked in its address", func(t *testing.T) {
		f := base.forTest(t)
		f.with("DATABASE_URL", f.env["DATABASE_URL"]+"&pgbouncer=true").wantRed("doctor.database.pooled")
	})
	t.Run("swapped with the direct connection", func(t *testing.T) {
		f := base.forTest(t)
		direct := f.env["DATABASE_URL"]
		f.with("DATABASE_URL", dbtest.Pooler(t, direct)).with("DATABASE_POOL_URL", direct).wantRed("doctor.database.pooled")
	})
	t.Run("a direct connection as pooler", func(t *testing.T) {
		f := base.forTest(t)
		f.with("DATABASE_POOL_URL", f.env["DATABASE_URL"]).wantWarning("doctor.pooler.direct")
	})
	t.Run("a pooler of another database", func(t *testing.T) {
		f := base.forTest(t)
		f.with("DATABASE_POOL_URL", dbtest.Pooler(t, dbtest.URL(t))).wantRed("doctor.pooler.other_database",
			"doctor.prices.unmirrored",
			"doctor.prices.unmirrored", "doctor.prices.unmirrored")
	})
	t.Run("a pooler without a database", func(t *testing.T) {
		f := base.forTest(t)
		f.with("DATABASE_POOL_URL", f.env["DATABASE_URL"]).with("DATABASE_URL", "").wantRed("doctor.database.missing")
	})
}

func TestDefaultsOfTheDatabase(t *testing.T) {
	base := healthy(t)
	for name, setting := range map[string]string{"a date style": "datestyle = 'German, DMY'",
		"a form of bytes": "bytea_output = 'escape'"} {
		t.Run(name+" does not matter", func(t *testing.T) {
			f := base.forTest(t)
			f.setDefault(setting)
			f.with("DATABASE_POOL_URL", dbtest.Pooler(t, f.env["DATABASE_URL"])).wantHealthy()
		})
	}
	t.Run("an isolation level behind a pooler", func(t *testing.T) {
		f := base.forTest(t)
		f.setDefault("default_transaction_isolation = 'serializable'")
		defer f.setDefault("default_transaction_isolation = 'read committed'")
		f.with("DATABASE_POOL_URL", dbtest.Pooler(t, f.env["DATABASE_URL"])).wantRed("doctor.database.settings")
		if checks := f.fix(); AnyRed(checks) {
			t.Errorf("after --fix: got red %v, want none", texts(checks, Red))
		}
	})
}

func TestRoleOfTheServer(t *testing.T) {
	base := healthy(t)
	t.Run("the owner's", func(t *testing.T) {
		checks := base.forTest(t).check()
		if got := texts(checks, Warning); AnyRed(checks) || !slices.Equal(got, []string{"doctor.role.powers", weakPresence}) {
			t.Errorf("got warnings %v, want one about the role", got)
		}
	})
	t.Run("its own", func(t *testing.T) {
		f := base.forTest(t)
		checks := f.with("DATABASE_POOL_URL", dbtest.ServerURL(f.env["DATABASE_URL"])).check()
		if got := texts(checks, Warning); AnyRed(checks) || !slices.Equal(got, []string{weakPresence}) ||
			!slices.Contains(texts(checks, OK), "doctor.role.ok") {
			t.Errorf("got warnings %v, red %v, want none", got, texts(checks, Red))
		}
	})
	t.Run("its own, behind a pooler", func(t *testing.T) {
		f := base.forTest(t)
		checks := f.with("DATABASE_POOL_URL", dbtest.Pooler(t, dbtest.ServerURL(f.env["DATABASE_URL"]))).check()
		if got := texts(checks, Warning); AnyRed(checks) || !slices.Equal(got, []string{weakPresence}) ||
			!slices.Contains(texts(checks, OK), "doctor.role.ok") {
			t.Errorf("got warnings %v, red %v, want none", got, texts(checks, Red))
		}
	})
}
