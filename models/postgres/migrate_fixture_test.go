package postgres_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
)

// schema is an empty database that a test migrates step by step.
type schema struct {
	*sql.DB
	t        *testing.T
	provider *goose.Provider
}

func newSchema(t *testing.T) *schema {
	t.Helper()
	db, err := sql.Open("pgx", dbtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the database is dropped next
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	return &schema{db, t, provider}
}

// up migrates to a version.
func (s *schema) up(to int64) {
	s.t.Helper()
	if _, err := s.provider.UpTo(s.t.Context(), to); err != nil {
		s.t.Fatalf("migrate up to %d: %v", to, err)
	}
}

// down migrates back to a version.
func (s *schema) down(to int64) {
	s.t.Helper()
	if _, err := s.provider.DownTo(s.t.Context(), to); err != nil {
		s.t.Fatalf("migrate down to %d: %v", to, err)
	}
}

func (s *schema) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.ExecContext(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

// wantText checks the one value that a query returns.
func (s *schema) wantText(want, query string, args ...any) {
	s.t.Helper()
	var got string
	if err := s.QueryRowContext(s.t.Context(), query, args...).Scan(&got); err != nil || got != want {
		s.t.Errorf("%s of %q = %q (%v), want %q", query, args, got, err, want)
	}
}
