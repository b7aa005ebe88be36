package purchase_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/logging"
)

// useNow makes both statements.
func (f *refundFixture) useNow() error {
	return f.UseNow(context.Background(), f.user.ID, f.id.String(),
		models.NewConsent(true, true, "de", statements, f.clock))
}

// Twenty forms make the statements at once: they are stored once, and the hold ends once.
func TestHeldCreditsAreUsableOnDemand(t *testing.T) {
	t.Parallel()
	f := newHeldFixture(t)
	made := models.NewConsent(true, true, "de", statements, f.clock)
	part := func(first bool) *models.Consent { return models.NewConsent(first, !first, "de", statements, f.clock) }
	stranger := dbtest.User(t, f.DB, "bob@example.com").ID
	var usable string
	f.must(f.DB.Raw(`SELECT id::text FROM purchases WHERE payment_intent_id = 'pi_1'`).Scan(&usable).Error)
	for name, c := range map[string]struct {
		user int64
		id   string
		made *models.Consent
		want fault.Code
	}{
		"no statement":         {f.user.ID, f.id.String(), nil, fault.Invalid},
		"one statement":        {f.user.ID, f.id.String(), part(true), fault.Invalid},
		"the other":            {f.user.ID, f.id.String(), part(false), fault.Invalid},
		"another's purchase":   {stranger, f.id.String(), made, fault.NotFound},
		"an unknown purchase":  {f.user.ID, uuid.NewString(), made, fault.NotFound},
		"what is not held":     {f.user.ID, usable, made, fault.Conflict},
		"no id":                {f.user.ID, "1", made, fault.NotFound},
		"an id in upper case ": {f.user.ID, "0198A000-0000-7000-8000-00000000000A", made, fault.NotFound},
	} {
		if err := f.UseNow(t.Context(), c.user, c.id, c.made); !fault.Is(err, c.want) {
			t.Errorf("%s: error = %v, want %s", name, err, c.want)
		}
	}
	f.wantHolds("refused", onlyPeriod)
	var out bytes.Buffer
	f.Log = logging.NewLogger(&out, slog.LevelInfo, "json")
	dbtest.Concurrently(20, func(int) {
		if err := f.useNow(); err != nil {
			t.Errorf("use now: %v", err)
		}
	})
	if n := strings.Count(out.String(), `"msg":"held credits made usable"`); n != 1 {
		t.Errorf("%d lines about the credits, want 1, in:\n%s", n, out.String())
	}
	f.wantHolds("on demand", nil)
	f.must(f.take(2400))
	f.wantBalance(0)
	p, err := f.ByID(t.Context(), f.id.String())
	f.must(err)
	if c := p.LatestConsent(); !c.Complete() || c.Hash != models.ConsentHash(statements) ||
		c.Version != models.ConsentVersion || c.Locale != "de" || !c.GivenAt.Equal(f.clock) || p.AwaitsConsent() {
		t.Errorf("later consent = %+v, want %+v", c, made)
	}
	var letters int64
	f.must(f.DB.Raw(`SELECT count(*) FROM letters WHERE kind = ?`, models.LetterCreditsUsable).Scan(&letters).Error)
	if letters != 1 {
		t.Errorf("%d letters confirm the statements, want one", letters)
	}
	for _, change := range []string{`NULL`, `later_consent || '{"compensation": false}'`} {
		if err := f.DB.Exec(`UPDATE purchases SET later_consent = `+change+` WHERE id = ?`, p.ID).Error; err == nil {
			t.Errorf("the later consent was set to %s, want the database to refuse", change)
		}
	}
	f.refunded("pi_2", 3500) // used credits that are refunded leave a debt, as ever
	f.wantBalance(-1200)
	f.wantHolds("refunded", nil)
}

// A spend beside the statements takes credits that are usable, and never held ones.
func TestSpendsBesideTheStatements(t *testing.T) {
	t.Parallel()
	f := newHeldFixture(t)
	f.must(f.take(1200))
	spent := make([]bool, 20)
	dbtest.Concurrently(len(spent), func(i int) {
		if i == 10 {
			if err := f.useNow(); err != nil {
				t.Errorf("use now: %v", err)
			}
			return
		}
		err := f.take(100)
		if spent[i] = err == nil; err != nil && !fault.Is(err, fault.InsufficientCredits) {
			t.Errorf("spend: %v", err)
		}
	})
	want := models.Credits(1200)
	for _, took := range spent {
		if took {
			want -= 100
		}
	}
	f.wantBalance(want)
	f.wantHolds("after all", nil)
}

// A refund and the statements may come at once: no held credit stays behind, and none is taken twice.
func TestRefundsBesideTheStatements(t *testing.T) {
	t.Parallel()
	f := newHeldFixture(t)
	dbtest.Concurrently(20, func(i int) {
		if i%2 == 0 {
			f.refunded("pi_2", 3500)
			return
		}
		if err := f.useNow(); err != nil && problem(err) != fault.NothingHeld {
			t.Errorf("use now: %v", err)
		}
	})
	f.wantBalance(1200)
	f.wantHolds("after all", nil)
}
