package account_test

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// What a deletion knows of: where rows of a person are, and where words about one may stand. A table that is new here
// must be erased by Delete or by EraseDue, and removed by Sweep, before it is added to this list.
var personal = []string{"api_keys", "audit_log", "credit_transactions", "holds", "identities", "purchases", "refund_requests", "refused_identities",
	"sessions", "stripe_customers", "users", "withdrawals"}

func TestEveryTableOfAPersonIsKnownToTheDeletion(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	var tables []string
	err := db.Raw(`SELECT DISTINCT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND confrelid IN ('users'::regclass, 'purchases'::regclass)
		ORDER BY 1`).Scan(&tables).Error
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables that point at people: %v, %v", tables, err)
	}
	for _, table := range tables {
		if !slices.Contains(personal, table) {
			t.Errorf("%s points at people: teach Delete, EraseDue and Sweep about it", table)
		}
	}
}
