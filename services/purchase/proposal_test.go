package purchase

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func paidPurchase(granted models.Credits, paid models.Cents) models.Purchase {
	return models.Purchase{Status: models.PurchasePaid, CreditsGranted: granted, PaidCents: paid}
}

func TestProposal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		granted  models.Credits
		paid     models.Cents
		refunded models.Credits
		gone     models.Cents
		unused   models.Credits
		want     models.Cents
	}{
		{"everything", 1200, 3500, 0, 0, 1200, 3500},
		{"700 of 1200", 1200, 3500, 0, 0, 700, 2042},
		{"half", 500, 2000, 0, 0, 250, 1000},
		{"one credit", 1200, 3500, 0, 0, 1, 3},
		{"nothing", 1200, 3500, 0, 0, 0, 0},
		{"less than nothing", 1200, 3500, 0, 0, -5, 0},
		{"more than was bought", 500, 2000, 0, 0, 900, 2000},
		{"what a refund left", 1200, 3500, 342, 1000, 858, 2500},
		{"nothing is left", 1200, 3500, 1200, 3500, 10, 0},
		{"nothing was paid", 1200, 0, 0, 0, 700, 0},
		{"several credits to the cent", 1200, 100, 0, 0, 7, 0},
		{"what a refund left of 700", 1200, 3500, 342, 1000, 700, 2042},
		{"the most expensive order", 100_000_000, 10_000_000_000, 0, 0, 99_999_999, 9_999_999_900},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := paidPurchase(c.granted, c.paid)
			p.CreditsRefunded = c.refunded
			if got := propose(p, money{RefundsGood: int64(c.gone)}, c.unused, c.paid-c.gone); got != c.want {
				t.Errorf("proposal = %d cents, want %d", got, c.want)
			}
		})
	}
}

// A proposal never takes more than the unused credits. It leaves unused credits only where one more cent would take too
// many, and none where a credit costs a cent or more.
func TestProposalProperty(t *testing.T) {
	t.Parallel()
	dbtest.Check(t, 100, 10_000, func(t *rapid.T) {
		p := paidPurchase(models.Credits(rapid.Int64Range(1, 100_000_000).Draw(t, "granted")),
			models.Cents(rapid.Int64Range(1, 10_000_000_000).Draw(t, "paid")))
		if rapid.Bool().Draw(t, "small") {
			p.CreditsGranted, p.PaidCents = p.CreditsGranted%2000+1, p.PaidCents%10_000+1
		}
		back := money{RefundsGood: rapid.Int64Range(0, int64(p.PaidCents)).Draw(t, "gone")}
		if rapid.Bool().Draw(t, "disputed") {
			back.Disputed = rapid.Int64Range(0, int64(p.PaidCents)).Draw(t, "dispute")
		}
		p.CreditsRefunded, p.CreditsDisputed = target(p.CreditsGranted, p.PaidCents, back)
		left := p.PaidCents - models.Cents(back.RefundsGood)
		still := p.CreditsGranted - p.CreditsRefunded - p.CreditsDisputed
		unused := models.Credits(rapid.Int64Range(0, int64(still)).Draw(t, "unused"))
		got := propose(p, back, unused, left)
		if got < 0 || got > left {
			t.Fatalf("proposal = %d cents, want 0 to %d", got, left)
		}
		takes := returnedCredits(p, back.plus(got)) - returnedCredits(p, back)
		if takes > unused {
			t.Fatalf("%d cents take %d of %d unused credits", got, takes, unused)
		}
		perCent := (p.CreditsGranted + models.Credits(p.PaidCents) - 1) / models.Credits(p.PaidCents)
		if takes < unused-perCent {
			t.Fatalf("%d cents take %d of %d unused credits, at %d to the cent", got, takes, unused, perCent)
		}
	})
}
