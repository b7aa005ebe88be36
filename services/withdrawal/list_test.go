package withdrawal_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// statements returns how many statements a page of the list takes.
func (f *fixture) statements(wantRows int) int {
	f.t.Helper()
	n := 0
	count := func(*gorm.DB) { n++ }
	on, name := f.DB.Callback(), fmt.Sprint("count for ", wantRows)
	if err := errors.Join(on.Query().Before("gorm:query").Register(name, count),
		on.Row().Before("gorm:row").Register(name, count), on.Raw().Before("gorm:raw").Register(name, count)); err != nil {
		f.t.Fatal(err)
	}
	rows, _, err := f.List(f.t.Context(), withdrawal.Cursor{}, 50)
	if err != nil || len(rows) != wantRows {
		f.t.Fatalf("list has %d rows (%v), want %d", len(rows), err, wantRows)
	}
	return n
}

// The list reads all its rows together: more declarations take no more statements.
func TestListTakesNoStatementPerRow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.declare(f.bought(40, true))
	one := f.statements(1)
	for i := range 9 {
		f.declare(f.bought(10*i, i%2 == 0))
	}
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	closed := f.declare(f.bought(0, false))
	if err := f.Close(t.Context(), closed.ID.String(), admin, ""); err != nil {
		t.Fatal(err)
	}
	if ten := f.statements(11); ten != one || one == 0 {
		t.Errorf("a list of eleven rows takes %d statements, one of a single row %d; want the same", ten, one)
	}
	rows, _, err := f.List(t.Context(), withdrawal.Cursor{}, 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range rows {
		if (w.HandledAt == nil) != (w.Entitlement != nil) || w.Currency != "eur" {
			t.Errorf("row handled at %v has entitlement %v and currency %q, want one of an open row, in eur", w.HandledAt,
				w.Entitlement, w.Currency)
		}
		if w.Entitlement == nil {
			continue
		}
		if want := f.entitlement(w.Withdrawal); want.Cents != w.Entitlement.Cents || want.Unused != w.Entitlement.Unused {
			t.Errorf("entitlement in the list = %d cents, %d unused; alone = %d, %d", w.Entitlement.Cents,
				w.Entitlement.Unused, want.Cents, want.Unused)
		}
	}
}
