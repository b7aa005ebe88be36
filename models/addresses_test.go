package models_test

import (
	"os"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The migration rewrites older rows to the canonical spelling and clears those that only an unverified
// identity supports.
func TestMigrationOfAddresses(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	script, err := os.ReadFile("migrations/00024_addresses.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, down, found := strings.Cut(string(script), "-- +goose Down")
	if !found {
		t.Fatal("the migration has no way back")
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{down,
		`INSERT INTO users (email) VALUES ('ada@example.com'), (E'jo\u0308rg@example.org'), ('emil@example.org.'),
			(E'anna\u00e9@example.org'), (E'annae\u0301@example.org'), ('squatter@example.com'), ('proved@example.com'), ('carl@xn--bcher-kva.example')`,
		`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) SELECT 'i', id::text, id, 'oidc', email, email LIKE 'proved%'
			FROM users WHERE email LIKE 'proved%' OR email LIKE 'squatter%'`, up} {
		if err := execute(pool, statement); err != nil {
			t.Fatalf("%.80s: %v", statement, err)
		}
	}
	var got []string
	if err := db.Raw(`SELECT coalesce(email, '') FROM users ORDER BY id`).Scan(&got).Error; err != nil {
		t.Fatal(err)
	}
	want := []string{"ada@example.com", "j\u00f6rg@example.org", "emil@example.org", "anna\u00e9@example.org",
		"annae\u0301@example.org", "", "proved@example.com", "carl@xn--bcher-kva.example"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("addresses = %+q, want %+q: two of one mailbox stay as they are", got, want)
	}
	if err := execute(pool, `UPDATE users SET updated_at = now()`); err != nil {
		t.Errorf("a row that keeps an old spelling cannot be written: %v", err)
	}
}
