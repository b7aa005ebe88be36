package purchase

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		granted            models.Credits
		paid               models.Cents
		money              money
		refunded, disputed models.Credits
	}{
		{"nothing back", 500, 2000, money{}, 0, 0},
		{"half back", 500, 2000, money{RefundsGood: 1000}, 250, 0},
		{"one refund, reported as refund and as charge", 500, 2000, money{RefundsGood: 1000, ChargeCumulated: 1000}, 250, 0},
		{"a charge with more than the known refunds", 500, 2000, money{RefundsGood: 500, ChargeCumulated: 1500}, 375, 0},
		{"a failed refund that the charge still includes", 500, 2000, money{RefundsBad: 1000, ChargeCumulated: 1000}, 0, 0},
		{"a full refund takes exactly the grant", 1200, 3500, money{RefundsGood: 3500}, 1200, 0},
		{"more than was paid", 1200, 3500, money{RefundsGood: 9900}, 1200, 0},
		{"first third, rounded down", 1200, 3500, money{RefundsGood: 1000}, 342, 0},
		{"two thirds, rounded down once", 1200, 3500, money{RefundsGood: 2000}, 685, 0},
		{"a dispute", 100, 500, money{Disputed: 500}, 0, 100},
		{"a refund and a dispute of the rest", 100, 500, money{RefundsGood: 200, Disputed: 500}, 40, 60},
		{"nothing was paid", 100, 0, money{RefundsGood: 200}, 0, 0},
		{"a large grant does not overflow", 100_000_000, 350_000_000_000, money{RefundsGood: 350_000_000_000}, 100_000_000,
			0},
	} {
		t.Run(c.name, func(t *testing.T) {
			refunded, disputed := target(c.granted, c.paid, c.money)
			if refunded != c.refunded || disputed != c.disputed {
				t.Errorf("target = %d refunded, %d disputed credits; want %d and %d", refunded, disputed, c.refunded, c.disputed)
			}
		})
	}
}

func TestTargetProperty(t *testing.T) {
	t.Parallel()
	dbtest.Check(t, 100, 10_000, func(t *rapid.T) {
		granted := models.Credits(rapid.Int64Range(1, 100_000_000).Draw(t, "granted"))
		paid := models.Cents(rapid.Int64Range(0, 100_000_000).Draw(t, "paid"))
		cents := rapid.Int64Range(0, 200_000_000)
		m := money{RefundsGood: cents.Draw(t, "good"), RefundsBad: cents.Draw(t, "bad"),
			ChargeCumulated: cents.Draw(t, "cumulated"), Disputed: cents.Draw(t, "disputed")}
		refunded, disputed := target(granted, paid, m)
		if refunded < 0 || disputed < 0 || refunded+disputed > granted {
			t.Fatalf("target = %d + %d of %d credits, want at most all and none negative", refunded, disputed, granted)
		}
		if paid > 0 && m.RefundsGood >= int64(paid) && refunded != granted {
			t.Fatalf("a full refund takes %d credits, want %d", refunded, granted)
		}
		more := m
		more.RefundsGood += 100
		if after, _ := target(granted, paid, more); after < refunded {
			t.Fatalf("credits taken fell from %d to %d with a further refund", refunded, after)
		}
	})
}
