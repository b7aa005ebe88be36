package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

// A purchase moves back and forth while it is refunded, disputed, and either account is deleted. In any order, its
// remaining credits end up with its owner, and none with the other account.
func TestConcurrentMovesRefundsDisputesAndDeletions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const charge = `{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":%d,"currency":"eur",
		"payment_intent":"pi_1"}`
	const dispute = `{"id":"dp_1","object":"dispute","amount":875,"currency":"eur","status":"lost","charge":"ch_1",
		"payment_intent":"pi_1"}`
	const first, second = 1, 2
	for name, deletion := range map[string]struct {
		owner  int
		before bool // the moves
	}{
		"without deletion":          {},
		"the first owner deletes":   {owner: first},
		"the second owner deletes":  {owner: second},
		"deletion before the moves": {owner: first, before: true},
	} {
		for _, refunds := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, refunds %v", name, refunds), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				other := dbtest.User(t, f.DB, "bea@example.com").ID
				accounts := &account.Service{DB: f.DB, Log: slog.New(slog.DiscardHandler)}
				f.deliver("checkout.session.completed", paidInEuros)
				deleted := map[int]int64{first: f.user.ID, second: other}[deletion.owner]
				if deletion.before {
					f.must(accounts.Delete(ctx, deleted))
				}
				dbtest.Concurrently(20, func(i int) {
					var err error
					switch i % 5 {
					case 0:
						err = move(f, f.user.ID, other)
					case 1:
						err = move(f, other, f.user.ID)
					case 2:
						if refunds {
							err = f.send(fmt.Sprintf("evt_r%d", i), "charge.refunded", fmt.Sprintf(charge, 100*i))
						}
					case 3:
						if refunds {
							err = f.send(fmt.Sprintf("evt_d%d", i), "charge.dispute.created", dispute)
						}
					case 4:
						if deleted > 0 {
							err = accounts.Delete(ctx, deleted)
						}
					}
					if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) {
						t.Errorf("operation %d: error = %v, want success, conflict or invalid", i, err)
					}
				})
				f.must(f.Webhook.BookDue(ctx))
				f.wantEntriesWithOwner()
				f.deliver("charge.refunded", fmt.Sprintf(charge, 3500))
				f.wantEntriesWithOwner()
			})
		}
	}
}

func move(f *fixture, from, to int64) error {
	_, err := f.Move(context.Background(), admin.Move{
		ActorID: f.boss.ID, PurchaseID: f.order, From: from, To: fmt.Sprintf("#%d", to), Note: "mistyped address",
	})
	return err
}

// wantEntriesWithOwner wants the entries of the order to sum to its remaining credits for its owner, and to zero for
// any other account.
func (f *fixture) wantEntriesWithOwner() {
	f.t.Helper()
	p := f.purchase("cs_1")
	var rows []struct {
		UserID  int64
		Credits models.Credits
	}
	f.must(f.DB.Raw(`SELECT user_id, sum(delta_credits) AS credits FROM credit_transactions
		WHERE meta ->> 'purchase_id' = ? GROUP BY user_id`, p.ID.String()).Scan(&rows).Error)
	left := p.CreditsLeft()
	for _, r := range rows {
		if want := map[bool]models.Credits{true: left}[r.UserID == p.UserID]; r.Credits != want {
			f.t.Errorf("user %d has %d credits of user %d's purchase, want %d", r.UserID, r.Credits, p.UserID, want)
		}
	}
	dbtest.CheckLedger(f.t, f.DB)
}
