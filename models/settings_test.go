package models_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// open connects as a server does.
func open(t *testing.T, address string) *gorm.DB {
	t.Helper()
	db, err := models.Open(address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { models.Close(db) })
	return db
}

// setDefault changes a default of the test's database, as a host or an operator does.
func setDefault(t *testing.T, address, setting string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, address).Exec(`ALTER DATABASE ` + strings.TrimPrefix(u.Path, "/") + ` SET ` + setting).Error; err != nil {
		t.Fatalf("set %s: %v", setting, err)
	}
}

// Hosts and operators change a database's defaults for reasons of their own. None of them changes what we read or book.
func TestDefaultsOfTheDatabase(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"datestyle = 'German, DMY'", "datestyle = 'SQL, DMY'", "datestyle = 'Postgres, MDY'", "bytea_output = 'escape'", "timezone = 'America/St_Johns'",
		"intervalstyle = 'iso_8601'", "default_transaction_isolation = 'serializable'", "standard_conforming_strings = off",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			direct := dbtest.URL(t)
			setDefault(t, direct, setting)
			for name, address := range map[string]string{"direct": direct, "pooled": dbtest.Pooler(t, direct) + "&pgbouncer=true"} {
				db := open(t, address)
				if err := models.CheckReading(t.Context(), db); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				u := dbtest.User(t, db, name+"@example.com")
				var again models.User
				if err := db.Where("id = ?", u.ID).Take(&again).Error; err != nil || !again.CreatedAt.Equal(u.CreatedAt) || u.CreatedAt.IsZero() {
					t.Errorf("%s: a user made at %v is read as made at %v: %v", name, u.CreatedAt, again.CreatedAt, err)
				}
				var isolation, text string
				err := models.Transaction(t.Context(), db, func(tx *gorm.DB) error {
					return errors.Join(tx.Raw(`SHOW transaction_isolation`).Scan(&isolation).Error, tx.Raw(`SELECT 'a\b'`).Scan(&text).Error)
				})
				if err != nil || isolation != "read committed" || text != `a\b` {
					t.Errorf("%s: a transaction is %q and reads %q, %v; want read committed and a\\b", name, isolation, text, err)
				}
			}
		})
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	pooled := dbtest.Pooler(t, direct) + "&pgbouncer=true"
	for _, address := range []string{direct, pooled} {
		if err := models.InspectSettings(t.Context(), address); err != nil {
			t.Errorf("an ordinary database: %v", err)
		}
	}
	for name, setting := range map[string]string{
		"default_transaction_isolation": "default_transaction_isolation = 'serializable'", // beyond what a pooler passes on
		"default_transaction_read_only": "default_transaction_read_only = on",
	} {
		t.Run(name, func(t *testing.T) {
			direct := dbtest.URL(t)
			setDefault(t, direct, setting)
			err := models.InspectSettings(t.Context(), dbtest.Pooler(t, direct)+"&pgbouncer=true")
			var wrong models.WrongSettings
			if !errors.As(err, &wrong) || !slices.ContainsFunc(wrong, func(s models.Setting) bool { return s.Name == name && s.Value != s.Want }) || len(wrong) != 1 {
				t.Errorf("settings = %v, want %s to be named alone", err, name)
			}
		})
	}
}
