package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Setting is a database setting with a wrong value, such as one that a pooler did not pass on. Mend is the statement
// that corrects it.
type Setting struct{ Name, Value, Want, Mend string }

// WrongSettings lists the settings with wrong values.
type WrongSettings []Setting

// Error lists the settings.
func (w WrongSettings) Error() string {
	var all []string
	for _, s := range w {
		all = append(all, fmt.Sprintf("%s is %q, want %q", s.Name, s.Value, s.Want))
	}
	return "wrong database settings: " + strings.Join(all, "; ")
}

// ErrUnreadable says that a time or bytes do not survive a round trip through the database.
var ErrUnreadable = errors.New("values from the database differ from those that were written")

// neededSettings are the settings that money rules or values depend on.
var neededSettings = []Setting{
	{Name: "DateStyle", Want: "ISO"}, {Name: "TimeZone", Want: "UTC"}, {Name: "standard_conforming_strings", Want: "on"},
	{Name: "default_transaction_isolation", Want: "read committed"}, {Name: "default_transaction_read_only", Want: "off"},
	{Name: "session_replication_role", Want: "origin"}, // any other value disables the triggers that guard the ledger
}

// CheckSettings checks that the connections of db have the settings that the product relies on.
// Errors: WrongSettings; ErrUnreadable.
func CheckSettings(ctx context.Context, db *gorm.DB) error {
	var names []string
	for _, s := range neededSettings {
		names = append(names, strings.ToLower(s.Name))
	}
	var found []struct{ Name, Value, Role, Database string }
	err := db.WithContext(ctx).
		Raw(
			`SELECT name, setting AS value, current_user AS role, current_database() AS database FROM pg_settings WHERE lower(name) IN ? ORDER BY name`, names).Scan(&found).Error
	if err != nil {
		return fmt.Errorf("read the database's settings: %w", err)
	}
	var wrong WrongSettings
	for _, s := range neededSettings {
		for _, f := range found { // missing if the role may not see it
			if f.Name != s.Name || f.Value == s.Want || strings.HasPrefix(f.Value, s.Want+",") {
				continue
			}
			s.Value, s.Mend = f.Value, s.roleDefault(f.Role, f.Database)
			wrong = append(wrong, s)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return CheckReading(ctx, db)
}

// CheckReading checks that a time and bytes survive a round trip.
// Errors: ErrUnreadable.
func CheckReading(ctx context.Context, db *gorm.DB) error {
	moment, raw := time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.UTC), []byte{0, 1, '\\', 'x', 0xff}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	var readMoment time.Time
	var readRaw []byte
	err = pool.QueryRowContext(ctx, `SELECT $1::timestamptz, $2::bytea`, moment, raw).Scan(&readMoment, &readRaw)
	switch {
	case err != nil && (Away(err) || ctx.Err() != nil):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	case !readMoment.Equal(moment) || !bytes.Equal(readRaw, raw):
		return ErrUnreadable
	}
	return nil
}

// InspectSettings runs CheckSettings on a new connection to address.
func InspectSettings(ctx context.Context, address string) error {
	db, err := Open(address, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(CheckSettings(ctx, db), Close(db))
}
