package purchase_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/user"
)

// claim claims ada's account, which has no identity, for a user.
func (f *refundFixture) claim(userID int64) (purchase.Claimed, error) {
	var claimed purchase.Claimed
	err := postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) (err error) {
		if err := user.LockAddress(tx, "ada@example.com"); err != nil {
			return err
		}
		claimed, err = purchase.Claim(tx, f.user.ID, userID, "ada@example.com")
		return err
	})
	return claimed, err
}

func TestClaim(t *testing.T) {
	t.Parallel()
	t.Run("moves purchases with what refunds and spending have left, and later refunds follow", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		owner := dbtest.User(t, f.DB, "owner@example.com").ID
		f.order("cs_unpaid")
		f.buy("pi_2")
		f.refunded("pi_2", 1750) // 600 of 1200 are left
		f.spend(300)
		f.must(f.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`,
			f.user.ID).Error)
		claimed, err := f.claim(owner)
		if err != nil || claimed.Purchases != 3 || claimed.Credits != 1500 || len(claimed.Rows) != 6 {
			t.Fatalf("claimed = %+v, %v; want 3 purchases and 1500 credits in three pairs", claimed, err)
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, owner: 1500})
		f.refunded("pi_1", 3500)
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, owner: 300})
		var left struct {
			Email *string
			MergedInto, Customer,
			Purchases, Audit int64
		}
		f.must(
			f.DB.Raw(`SELECT email, merged_into, (SELECT user_id FROM stripe_customers WHERE customer_id = 'cus_1') AS customer,
			(SELECT count(*) FROM purchases WHERE user_id = @owner) AS purchases,
			(SELECT count(*) FROM audit_log WHERE action = 'account.claim' AND user_id = @owner AND detail ->> 'credits' = '1500') AS audit
			FROM users WHERE id = @guest`, map[string]any{"owner": owner, "guest": f.user.ID}).Scan(&left).Error)
		if left.Email != nil || left.MergedInto != owner || left.Customer != owner || left.Purchases != 3 || left.Audit != 1 {
			t.Errorf("guest = %+v, want no address, everything else with user %d and one audit entry", left, owner)
		}
	})
	t.Run("moves a negative balance", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		owner := dbtest.User(t, f.DB, "owner@example.com").ID
		f.spend(1000)
		f.refunded("pi_1", 3500)
		if claimed, err := f.claim(owner); err != nil || claimed.Credits != -1000 {
			t.Fatalf("claimed = %+v, %v; want -1000 credits", claimed, err)
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, owner: -1000})
	})
	for condition, statement := range map[string]string{
		"the account has an identity":       `INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) VALUES ('i', 's', @guest, 'oidc', 'ada@example.com', true)`,
		"the account has another address":   `UPDATE users SET email = 'other@example.com' WHERE id = @guest`,
		"the account has an open hold":      `WITH held AS (UPDATE users SET credits_held = 5 WHERE id = @guest) INSERT INTO holds (id, user_id, feature, credits, expires_at) VALUES (gen_random_uuid(), @guest, 'job_match', 5, now())`,
		"the claimant's account is deleted": `UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now() WHERE id = @owner`,
	} {
		t.Run("refuses where "+condition, func(t *testing.T) {
			t.Parallel()
			f := newRefundFixture(t)
			owner := dbtest.User(t, f.DB, "owner@example.com").ID
			f.must(f.DB.Exec(statement, map[string]any{"guest": f.user.ID, "owner": owner}).Error)
			if _, err := f.claim(owner); !errors.Is(err, purchase.ErrNotClaimed) {
				t.Errorf("claim = %v, want ErrNotClaimed", err)
			}
			f.wantBalances(map[int64]models.Credits{f.user.ID: 1200, owner: 0})
		})
	}
}

func TestTwentyClaimsAtOnce(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	owners := []int64{dbtest.User(t, f.DB, "one@example.com").ID, dbtest.User(t, f.DB, "two@example.com").ID}
	f.buy("pi_2")
	var claimed atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		if i%4 == 3 {
			f.refunded("pi_2", 700) // like a concurrent event
			return
		}
		switch _, err := f.claim(owners[i%2]); {
		case err == nil:
			claimed.Add(1)
		case !errors.Is(err, purchase.ErrNotClaimed):
			t.Errorf("claim %d: %v", i, err)
		}
	})
	if claimed.Load() != 1 {
		t.Errorf("claimed %d times, want once", claimed.Load())
	}
	var with []models.Credits
	f.must(f.DB.Raw(`SELECT credits_balance FROM users WHERE credits_balance <> 0`).Scan(&with).Error)
	if len(with) != 1 || with[0] != 2160 {
		t.Errorf("balances = %v, want 2160 credits with one user", with)
	}
	dbtest.CheckLedger(t, f.DB)
}

// A payment by a Stripe customer of an account that is being claimed waits for the claim, and then goes to the
// claimant.
func TestPaymentDuringClaim(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	owner := dbtest.User(t, f.DB, "owner@example.com").ID
	f.must(f.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`,
		f.user.ID).Error)
	const payments = 20
	var all sync.WaitGroup
	pay := func(i int) {
		session := fmt.Sprintf("cs_link_%d", i)
		err := postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
			_, err := f.Book(tx, purchase.Checkout{ID: session, PaymentStatus: "paid", PaymentIntent: "pi_" + session,
				Currency: "eur", Subtotal: 3500,
				Paid: 3500, PaidCurrency: "eur", Customer: "cus_1"},
				purchase.StripeFacts{Sold: &purchase.Sold{Known: true, Units: 1, Credits: 1200}}, "evt_"+session)
			return err
		})
		if err != nil {
			t.Errorf("payment %d: %v", i, err)
		}
	}
	err := postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
		if err := user.LockAddress(tx, "ada@example.com"); err != nil {
			return err
		}
		if _, err := purchase.Claim(tx, f.user.ID, owner, "ada@example.com"); err != nil {
			return err
		}
		for i := range payments {
			all.Go(func() { pay(i) })
		}
		dbtest.Eventually(t, "a payment waits for the claim", func() (waits bool) {
			f.must(
				f.DB.Raw(
					`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits).Error)
			return waits
		})
		return nil
	})
	all.Wait()
	f.must(err)
	f.wantBalances(map[int64]models.Credits{f.user.ID: 0, owner: (1 + payments) * 1200})
	dbtest.CheckLedger(t, f.DB)
}
