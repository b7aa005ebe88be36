package account_test

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// personalTables are the tables with personal data. Before a table is added here, Delete or EraseDue must erase its
// rows, and Sweep must remove them.
var personalTables = []string{
	"api_keys", "audit_log", "bounces", "credit_transactions", "gate_passes", "gate_users", "holds", "identities",
	"letter_refusals", "letters",
	"purchases", "refund_requests", "refused_identities", "sessions", "stripe_customers", "users", "withdrawals",
}

func TestDeletionCoversEveryPersonalTable(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	var tables []string
	err := db.Raw(
		`SELECT DISTINCT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND confrelid IN ('users'::regclass, 'purchases'::regclass, 'holds'::regclass)
		ORDER BY 1`).Scan(&tables).Error
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables that reference users = %v, %v; want some", tables, err)
	}
	for _, table := range tables {
		if !slices.Contains(personalTables, table) {
			t.Errorf("table %s references users, purchases or holds and is not in personalTables", table)
		}
	}
}
