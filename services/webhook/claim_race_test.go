package webhook

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/user"
)

// Payments of guests arrive while their account is claimed. In any order, all credits end up with the user who
// verified the address, and no transactions deadlock.
func TestConcurrentPaymentsAndClaims(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	const email = "guest@example.com"
	owner := dbtest.User(t, s.DB, "owner@example.com").ID
	s.must(s.DB.Exec(`INSERT INTO users (email) VALUES (?)`, email).Error)
	s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) VALUES
		('i', 's', @id, 'oidc', 'owner@example.com', true), ('i', 't', @id, 'oidc', @email, true)`,
		map[string]any{"id": owner, "email": email}).Error)
	claim := func() error {
		return postgres.Transaction(context.Background(), s.DB, func(tx models.Tx) error {
			if err := user.LockAddress(tx, email); err != nil {
				return err
			}
			var guest int64
			if err := tx.Raw(`SELECT id FROM users WHERE email = ?`, email).Scan(&guest).Error; err != nil || guest == 0 {
				return err
			}
			_, err := purchase.Claim(tx, guest, owner, email)
			return err
		})
	}
	dbtest.Concurrently(20, func(i int) {
		if i%2 == 0 {
			s.receive(link(fmt.Sprintf("evt_%d", i), fmt.Sprintf("cs_race_%d", i), "null", `"`+email+`"`, `{"credits":"1200"}`))
			return
		}
		if err := claim(); err != nil && !errors.Is(err, purchase.ErrNotClaimed) {
			t.Errorf("claim %d: %v", i, err)
		}
	})
	if err := claim(); err != nil {
		t.Errorf("last claim: %v", err)
	}
	if got := s.balanceOf("owner@example.com"); got != 10*1200 {
		t.Errorf("owner has %d credits, want %d", got, 10*1200)
	}
	dbtest.CheckLedger(t, s.DB)
}
