package purchase_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The pages reach every purchase of a user once, also when all were created at the same moment.
func TestPagesOfPurchases(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	user, other := dbtest.User(t, f.DB, "many@example.org").ID, dbtest.User(t, f.DB, "other@example.org").ID
	for _, id := range []int64{user, other} {
		if err := f.DB.Exec(
			`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, created_at)
			SELECT gen_random_uuid(), ?, 1, 500, 500, 'eur', 'de', 'k' || n, date_trunc('day', now()) FROM generate_series(1, 60) n`, id).Error; err != nil {
			t.Fatal(err)
		}
	}
	seen, before := map[uuid.UUID]bool{}, uuid.Nil
	for more := true; more; {
		rows, next, err := f.OfUser(t.Context(), user, before, 20)
		if err != nil || len(rows) != 20 {
			t.Fatalf("%d purchases on a page, %v; want 20", len(rows), err)
		}
		for _, p := range rows {
			if seen[p.ID] || p.UserID != user {
				t.Errorf("purchase %s of user %d is another user's or listed twice", p.ID, p.UserID)
			}
			seen[p.ID] = true
		}
		more, before = next, rows[len(rows)-1].ID
	}
	if len(seen) != 60 {
		t.Errorf("%d purchases on the pages, want 60", len(seen))
	}
	if rows, _, err := f.OfUser(t.Context(), other, before, 25); err != nil || len(rows) != 0 {
		t.Errorf("%d purchases before another user's, %v; want none", len(rows), err)
	}
}
