package handlers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

// addColumns adds a column to every table, as the migration of a later release may.
func addColumns(t *testing.T, db *gorm.DB, column string) {
	t.Helper()
	var tables []string
	if err := db.Raw(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`).
		Scan(&tables).Error; err != nil || len(tables) < 20 {
		t.Errorf("found %d tables (%v), want at least 20", len(tables), err)
	}
	for _, table := range tables {
		if err := db.Exec(fmt.Sprintf(`ALTER TABLE %q ADD COLUMN %q integer`, table, column)).Error; err != nil {
			t.Error(err)
		}
	}
}

// A server goes on while a later release migrates: its connections have prepared the statements of every page, and no
// page fails when every table gets a column.
func TestPagesSurviveNewColumns(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	for _, column := range []string{"", "later"} {
		if column != "" {
			addColumns(t, f.db, column)
		}
		for _, name := range slices.Sorted(maps.Keys(routeRoles)) {
			if !strings.HasPrefix(name, "GET ") {
				continue
			}
			if got := f.ask("GET", routeRoles[name].path); got != routeRoles[name].want {
				t.Errorf("%s after adding %q: statuses %v for %v, want %v", name, column, got, roles, routeRoles[name].want)
			}
		}
	}
}

func TestSpendsSurviveNewColumns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, key := f.serviceKey("spend")
	var users []int64
	for n := range 20 {
		users = append(users, f.user(fmt.Sprintf("user%d@example.com", n), 100_000).ID)
	}
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for _, column := range []string{"later", "latest"} {
			addColumns(t, f.db, column)
		}
	}()
	dbtest.Concurrently(len(users), func(n int) {
		for i := 0; ; i++ {
			body := fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, users[n])
			spent := f.call("POST", "/api/credits/spend", body, key, fmt.Sprintf("Idempotency-Key: spend-%d", i))
			held := f.call("POST", "/api/credits/holds", body, key, fmt.Sprintf("Idempotency-Key: hold-%d", i))
			_, id, _ := strings.Cut(held.body, `"holdId":"`)
			id, _, _ = strings.Cut(id, `"`)
			captured := f.call("POST", "/api/credits/holds/"+id+"/capture", "", key)
			if spent.status != 201 || held.status != 201 || captured.status != 200 {
				t.Errorf("spend %d %s, hold %d %s, capture %d %s, want 201, 201 and 200", spent.status, spent.body, held.status,
					held.body, captured.status, captured.body)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	dbtest.CheckLedger(t, f.db)
}
