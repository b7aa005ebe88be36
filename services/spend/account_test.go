package spend_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/spend"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	for name, c := range map[string]struct {
		id     int64
		email  string
		create bool
		want   fault.Code
	}{
		"by id":                   {id: user},
		"by address, in any case": {email: " ADA@Example.com"},
		"negative":                {id: -1, want: fault.NotFound},
		"beyond the column":       {id: 1 << 31, want: fault.NotFound},
		"unknown address":         {email: "eve@example.com", want: fault.NotFound},
		"no address":              {email: "eve", create: true, want: fault.Invalid},
		"nothing":                 {want: fault.Invalid},
	} {
		got, err := s.Account(ctx, c.id, c.email, c.create)
		if c.want != "" && !fault.Is(err, c.want) || c.want == "" && (err != nil || got != user) {
			t.Errorf("%s: account = %d, %v; want user %d or %q", name, got, err, user, c.want)
		}
	}
	if got, err := s.Account(ctx, math.MaxInt32, "", false); err != nil || got != math.MaxInt32 {
		t.Errorf("the largest id = %d, %v; want itself, unread", got, err)
	}
	made := sync.Map{}
	dbtest.Concurrently(20, func(int) {
		id, err := s.Account(ctx, 0, "new@example.com", true)
		if err != nil {
			t.Errorf("create: %v", err)
		}
		made.Store(id, true)
	})
	accounts := 0
	made.Range(func(any, any) bool { accounts++; return true })
	if accounts != 1 {
		t.Errorf("twenty requests made %d accounts, want one", accounts)
	}
	dbtest.CheckLedger(t, db)
}

// A call that fails for every user creates no account. A call that only lacks credits does, so that the user can buy
// some.
func TestAccountOfARefusal(t *testing.T) {
	t.Parallel()
	s, db, _ := setUp(t, 100)
	ask := func(feature string, want fault.Code, accounts int64) {
		t.Helper()
		r := spend.Request{Caller: dbtest.ServiceKey(t, db), Email: "new@example.com", Create: true, Feature: feature,
			Key: "k"}
		if _, err := s.Spend(context.Background(), r); !fault.Is(err, want) {
			t.Errorf("spend on %s: %v, want %s", feature, err, want)
		}
		if _, err := s.Hold(context.Background(), spend.HoldRequest{Request: r}); !fault.Is(err, want) {
			t.Errorf("hold for %s: %v, want %s", feature, err, want)
		}
		var n int64
		if err := db.Model(&models.User{}).Where("email = 'new@example.com'").Count(&n).Error; err != nil || n != accounts {
			t.Errorf("%s: %d accounts (%v), want %d", feature, n, err, accounts)
		}
	}
	ask("no_such", fault.Invalid, 0)
	ask("job_match", fault.InsufficientCredits, 1)
}
