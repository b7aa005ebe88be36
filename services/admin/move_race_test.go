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

// A purchase moves there and back while its money goes back, a bank takes it, and either account is deleted. Whatever came
// first, all that is left of the purchase stands with the account that has it, and nothing of it with the other.
func TestMovesBesideEverythingElse(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, deletes := range map[string]func(d *desk, other int64) int64{
		"both accounts stay":          func(*desk, int64) int64 { return 0 },
		"the first owner deletes":     func(d *desk, _ int64) int64 { return d.user.ID },
		"the second owner deletes":    func(_ *desk, other int64) int64 { return other },
		"a deletion before the moves": func(d *desk, _ int64) int64 { return -d.user.ID },
	} {
		for _, refunds := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, refunds %v", name, refunds), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				other := dbtest.User(t, d.DB, "bea@example.com").ID
				accounts := &account.Service{DB: d.DB, Log: slog.New(slog.DiscardHandler)}
				d.tell("checkout.session.completed", `{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid","payment_intent":"pi_1",
					"currency":"eur","amount_subtotal":3500,"amount_total":3500}`)
				leaves := deletes(d, other)
				if leaves < 0 {
					d.must(accounts.Delete(ctx, -leaves))
				}
				dbtest.Concurrently(20, func(i int) {
					var err error
					switch i % 5 {
					case 0:
						_, err = d.Move(ctx, admin.Move{ActorID: d.boss.ID, PurchaseID: d.order, From: d.user.ID, To: "#" + fmt.Sprint(other), Note: "typed wrong"})
					case 1:
						_, err = d.Move(ctx, admin.Move{ActorID: d.boss.ID, PurchaseID: d.order, From: other, To: "#" + fmt.Sprint(d.user.ID), Note: "typed right"})
					case 2:
						if refunds {
							err = d.send(fmt.Sprintf("evt_r%d", i), "charge.refunded", fmt.Sprintf(`{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":%d,"currency":"eur","payment_intent":"pi_1"}`, 100*i))
						}
					case 3:
						if refunds {
							err = d.send(fmt.Sprintf("evt_d%d", i), "charge.dispute.created", `{"id":"dp_1","object":"dispute","amount":875,"currency":"eur","status":"lost","charge":"ch_1","payment_intent":"pi_1"}`)
						}
					case 4:
						if leaves > 0 {
							err = accounts.Delete(ctx, leaves)
						}
					}
					if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) {
						t.Errorf("%d: %v, want it done or refused in words", i, err)
					}
				})
				d.must(d.Webhook.BookDue(ctx))
				d.wantPurchaseWithItsOwner()
				d.tell("charge.refunded", `{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":3500,"currency":"eur","payment_intent":"pi_1"}`)
				d.wantPurchaseWithItsOwner()
			})
		}
	}
}

// wantPurchaseWithItsOwner wants the entries about the order to come to what is left of it, all of it with its owner.
func (d *desk) wantPurchaseWithItsOwner() {
	d.t.Helper()
	p := d.purchase("cs_1")
	var rows []struct {
		UserID  int64
		Credits models.Credits
	}
	d.must(d.DB.Raw(`SELECT user_id, sum(delta_credits) AS credits FROM credit_transactions WHERE meta ->> 'purchase_id' = ? GROUP BY user_id`, p.ID.String()).Scan(&rows).Error)
	left := p.CreditsGranted - p.CreditsRefunded - p.CreditsDisputed
	for _, r := range rows {
		if want := map[bool]models.Credits{true: left}[r.UserID == p.UserID]; r.Credits != want {
			d.t.Errorf("entries of the purchase come to %d credits with user %d, want %d; it is user %d's and %d are left", r.Credits, r.UserID, want, p.UserID, left)
		}
	}
	dbtest.CheckLedger(d.t, d.DB)
}
