package postgres_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// An attacker who controls the server has its database role. That role may read the ledger and the audit log and append
// to them, but not rewrite them.
func TestServerRoleCannotRewriteTheLedger(t *testing.T) {
	t.Parallel()
	owner := dbtest.URL(t)
	db := open(t, dbtest.ServerURL(owner))
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO users (email) VALUES ('ada@example.com')`,
		`INSERT INTO audit_log (actor, action, user_id) VALUES ('system', 'test', 1)`,
		`BEGIN; INSERT INTO credit_transactions (user_id, delta_credits, reason) VALUES (1, 5, 'manual');
			UPDATE users SET credits_balance = 5 WHERE id = 1; COMMIT`,
		`TABLE credit_transactions; TABLE audit_log; TABLE goose_db_version`,
	} {
		if err := execute(pool, statement); err != nil {
			t.Errorf("the server needs %s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		`UPDATE credit_transactions SET delta_credits = 500`, `DELETE FROM credit_transactions`,
		`TRUNCATE credit_transactions`,
		`UPDATE audit_log SET action = 'other'`, `DELETE FROM audit_log`, `TRUNCATE audit_log`, `TRUNCATE users CASCADE`,
		`ALTER TABLE credit_transactions DISABLE TRIGGER USER`, `ALTER TABLE credit_transactions DISABLE TRIGGER ALL`,
		`ALTER TABLE users DISABLE TRIGGER USER`,
		`SET session_replication_role = replica`, `DROP TABLE audit_log`, `DROP TRIGGER audit_log_append_only ON audit_log`,
		`CREATE TRIGGER mine BEFORE INSERT ON credit_transactions FOR EACH ROW EXECUTE FUNCTION append_only()`,
		`CREATE OR REPLACE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
		`DROP FUNCTION forgets() CASCADE`,
		`ALTER TABLE credit_transactions OWNER TO app_server`, `SET ROLE app`, `SET SESSION AUTHORIZATION app`,
		`CREATE TABLE mine (id int)`, `CREATE SCHEMA mine`, `CREATE TEMP TABLE users (id int, credits_held int)`,
		`CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`SELECT setval('credit_transactions_id_seq', 9000000)`, `UPDATE goose_db_version SET version_id = 0`,
		`CREATE RULE mine AS ON INSERT TO credit_transactions DO INSTEAD NOTHING`,
		`BEGIN; LOCK TABLE credit_transactions IN ACCESS EXCLUSIVE MODE; COMMIT`,
		`COPY audit_log TO PROGRAM 'true'`,
	} {
		err := execute(pool, statement)
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code != "42501" {
			t.Errorf("%s: %v, want it refused for lack of a right", statement, err)
		}
	}
	for _, statement := range []string{ // through the owner's functions, which ask the trigger
		`SELECT remove_audit(1)`, `SELECT remove_entries(1)`,
		`BEGIN; UPDATE users SET email = NULL, deleted_at = now(), delete_after = '2000-01-01' WHERE id = 1; SELECT remove_audit(1); COMMIT`,
		`BEGIN; UPDATE users SET email = NULL, deleted_at = now(), delete_after = '2000-01-01' WHERE id = 1; SELECT remove_entries(1); COMMIT`,
	} {
		err := execute(pool, statement)
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || !strings.HasSuffix(refusal.ConstraintName, "_append_only") {
			t.Errorf("%s: %v, want it refused by the trigger", statement, err)
		}
	}
	dbtest.CheckLedger(t, db)
}

func TestPowers(t *testing.T) {
	t.Parallel()
	owner := dbtest.URL(t)
	if powers, err := postgres.Powers(t.Context(), dbtest.ServerURL(owner)); err != nil || len(powers) != 0 {
		t.Errorf("the server's role could %v, %v; want nothing", powers, err)
	}
	powers, err := postgres.Powers(t.Context(), owner)
	if all := strings.Join(powers, ", "); err != nil || !strings.Contains(all, "owner of credit_transactions") ||
		!strings.Contains(all, "TRUNCATE on audit_log") {
		t.Errorf("the owner could %v, %v; want everything", powers, err)
	}
}

func TestGrant(t *testing.T) {
	t.Parallel()
	t.Run("by eight replicas at once, again and again", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.Empty(t)
		var starts sync.WaitGroup
		for range 8 {
			starts.Go(func() {
				if err := postgres.MigrateFor(context.Background(), patient(owner), dbtest.ServerURL(owner), quiet); err != nil {
					t.Errorf("migrate and grant: %v", err)
				}
			})
		}
		starts.Wait()
		if powers, err := postgres.Powers(t.Context(), dbtest.ServerURL(owner)); err != nil || len(powers) != 0 {
			t.Errorf("the server's role could %v, %v; want nothing", powers, err)
		}
	})
	t.Run("one role is left as it is", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		if err := postgres.Grant(t.Context(), owner, owner+"&pgbouncer=true"); err != nil {
			t.Fatal(err)
		}
		if err := open(t, owner).Exec(`UPDATE users SET name = ''; CREATE TABLE mine (id int)`).Error; err != nil {
			t.Errorf("the only role lost rights: %v", err)
		}
	})
	t.Run("takes back what the role had", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		if err := open(t, owner).
			Exec(`GRANT ALL ON ALL TABLES IN SCHEMA public TO app_server; GRANT UPDATE ON audit_log TO PUBLIC`).
			Error; err != nil {
			t.Fatal(err)
		}
		if err := postgres.Grant(t.Context(), owner, dbtest.ServerURL(owner)); err != nil {
			t.Fatal(err)
		}
		if powers, err := postgres.Powers(t.Context(), dbtest.ServerURL(owner)); err != nil || len(powers) != 0 {
			t.Errorf("the server's role could %v, %v; want nothing", powers, err)
		}
	})
	t.Run("gives rights on tables to come", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		if err := open(t, owner).Exec(`CREATE TABLE later (id int GENERATED BY DEFAULT AS IDENTITY, n int)`).
			Error; err != nil {
			t.Fatal(err)
		}
		if err := open(t, dbtest.ServerURL(owner)).
			Exec(`INSERT INTO later (n) VALUES (1); UPDATE later SET n = 2; DELETE FROM later`).Error; err != nil {
			t.Errorf("a later table: %v", err)
		}
	})
	t.Run("says what an administrator must run", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		u, err := url.Parse(owner)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("not_created", "hunter2")
		err = postgres.Grant(t.Context(), owner, u.String())
		if !errors.Is(err, postgres.ErrNoRole) || !strings.Contains(err.Error(), `CREATE ROLE "not_created" LOGIN`) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("grant = %v, want the statement without the password", err)
		}
	})
	t.Run("makes the role where it may", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		admin := dbtest.Admin(t, owner)
		role := "made_" + strings.ToLower(rand.Text()[:8])
		u, err := url.Parse(owner)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, "hunter2")
		if err := postgres.Grant(t.Context(), admin, u.String()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { open(t, admin).Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role) })
		if powers, err := postgres.Powers(t.Context(), u.String()); err != nil || len(powers) != 0 {
			t.Errorf("the new role could %v, %v; want nothing", powers, err)
		}
		var kept string
		err = open(t, admin).Raw(`SELECT rolpassword FROM pg_authid WHERE rolname = ?`, role).Scan(&kept).Error
		if err != nil || !strings.HasPrefix(kept, "SCRAM-SHA-256$4096:") || strings.Contains(kept, "hunter2") {
			t.Errorf("the password is kept as %q, %v; want a verifier", kept, err)
		}
	})
}

func execute(pool *sql.DB, statement string) error {
	_, err := pool.Exec(statement)
	return err
}
