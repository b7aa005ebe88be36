package gate_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/ledger"
)

// subject is what the passes of these tests are for.
const subject = "job-4711"

// open makes a hold and its pass.
func (f *fixture) open(uses int, lifetime time.Duration) ledger.Held {
	f.Helper()
	held := f.hold()
	f.must(f.replicas[1].OpenPass(f.Context(), held.ID, f.user,
		routes.Pass{Name: "confirm", Subject: subject, Uses: uses, Lifetime: lifetime}))
	return held
}

// wantUses uses the passes until one use is refused, and checks how many were not.
func (f *fixture) wantUses(what string, want int) {
	f.Helper()
	n := 0
	for ; n <= want; n++ {
		pass, err := f.replicas[n%2].UsePass(f.Context(), f.user, "confirm", subject)
		f.must(err)
		if pass == uuid.Nil {
			break
		}
	}
	if n != want {
		f.Errorf("%s: %d uses, want %d", what, n, want)
	}
}

func TestPassIsValidOnceItsHoldIsCaptured(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	held := f.open(3, time.Hour)
	f.wantUses("while the hold is open", 0)
	f.capture(held)
	for _, other := range []struct {
		what          string
		user          int64
		name, subject string
	}{
		{"another user", f.user + 1, "confirm", subject},
		{"another name", f.user, "turn", subject},
		{"another subject", f.user, "confirm", "job-4712"},
		{"no subject", f.user, "confirm", ""},
	} {
		pass, err := f.replicas[0].UsePass(t.Context(), other.user, other.name, other.subject)
		if pass != uuid.Nil || err != nil {
			t.Errorf("%s: used pass %s, %v; want a refusal", other.what, pass, err)
		}
	}
	if traces := dbtest.Traces(t, f.db, subject); len(traces) > 0 {
		t.Errorf("the subject is stored in %v, want its hash alone", traces)
	}
	f.wantUses("after the capture", 3)

	released := f.open(3, time.Hour)
	_, err := f.spend.Release(t.Context(), uuid.Nil, released.ID.String())
	f.must(err)
	f.wantUses("after a release", 0)

	f.capture(f.open(3, time.Hour))
	f.exec(`UPDATE gate_passes SET expires_at = now()`)
	f.wantUses("after its lifetime", 0)
	dbtest.CheckLedger(t, f.db)
}

// A server that is killed between hold and capture leaves a hold that expires, and a pass that never becomes valid.
func TestPassOfAKilledServer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	held := f.open(3, time.Hour)
	f.exec(`UPDATE holds SET expires_at = now() WHERE id = ?`, held.ID)
	if _, err := f.spend.Capture(t.Context(), uuid.Nil, held.ID.String(), nil); !fault.Is(err, fault.HoldClosed) {
		t.Errorf("late capture: error = %v, want closed", err)
	}
	f.wantUses("before the sweep", 0)
	if n, err := f.spend.ExpireDue(t.Context()); n != 1 || err != nil {
		t.Errorf("%d holds expired (%v), want 1", n, err)
	}
	f.wantUses("after the sweep", 0)
	dbtest.CheckLedger(t, f.db)
}

func TestPassThatEndsSoonestIsUsedFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	late, soon := f.open(2, 2*time.Hour), f.open(2, time.Hour)
	f.capture(late)
	f.capture(soon)
	used := func(held ledger.Held) (n int) {
		f.must(f.db.Raw(`SELECT used FROM gate_passes WHERE hold_id = ?`, held.ID).Scan(&n).Error)
		return n
	}
	for use, want := range [][2]int{{1, 0}, {2, 0}, {2, 1}, {2, 2}} {
		pass, err := f.replicas[0].UsePass(t.Context(), f.user, "confirm", subject)
		if got := [2]int{used(soon), used(late)}; got != want || pass == uuid.Nil || err != nil {
			t.Errorf("use %d (%s, %v): uses of the pass that ends soonest and of the other = %v, want %v", use, pass, err, got,
				want)
		}
	}
}

func TestTwentyUsesAtOnceTakeNoMoreThanThePassesAllow(t *testing.T) {
	t.Parallel()
	for name, passes := range map[string][]int{"one pass": {3}, "three passes": {1, 3, 5}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			want := int64(0)
			for _, uses := range passes {
				f.capture(f.open(uses, time.Hour))
				want += int64(uses)
			}
			var used atomic.Int64
			dbtest.Concurrently(20, func(i int) {
				pass, err := f.replicas[i%2].UsePass(t.Context(), f.user, "confirm", subject)
				if err != nil {
					t.Errorf("use %d: %v", i, err)
				}
				if pass != uuid.Nil {
					used.Add(1)
				}
			})
			if used.Load() != want {
				t.Errorf("%d of twenty uses were allowed, want %d", used.Load(), want)
			}
			f.wantUses("then", 0)
		})
	}
}

func TestOpenPassNeedsAnOpenHoldOfTheUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ended, pass := f.hold(), routes.Pass{Name: "confirm", Subject: subject, Uses: 3, Lifetime: time.Hour}
	f.capture(ended)
	for what, c := range map[string]struct {
		hold uuid.UUID
		user int64
	}{
		"an ended hold":        {ended.ID, f.user},
		"an unknown hold":      {uuid.New(), f.user},
		"another user's hold":  {f.hold().ID, f.user + 1},
		"another user's ended": {ended.ID, f.user + 1},
	} {
		if err := f.replicas[0].OpenPass(t.Context(), c.hold, c.user, pass); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: error = %v, want not found", what, err)
		}
	}
	if n := f.rows("gate_passes"); n != 0 {
		t.Errorf("%d passes, want 0", n)
	}
}

func TestSweepDeletesExpiredPasses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.capture(f.open(3, time.Hour))
	f.exec(`INSERT INTO holds (id, user_id, feature, credits, status, expires_at)
		SELECT gen_random_uuid(), ?, 'job_match', 5, 'expired', now() FROM generate_series(1, 1200)`, f.user)
	f.exec(`INSERT INTO gate_passes (hold_id, name, subject_hash, uses, expires_at)
		SELECT id, 'confirm', sha256(''), 3, now() FROM holds WHERE status = 'expired'`)
	var swept atomic.Int64
	dbtest.Concurrently(4, func(i int) {
		n, err := f.replicas[i%2].Sweep(t.Context())
		if err != nil {
			t.Error(err)
		}
		swept.Add(n)
	})
	if swept.Load() != 1200 || f.rows("gate_passes") != 1 {
		t.Errorf("swept %d passes and left %d, want 1200 and 1", swept.Load(), f.rows("gate_passes"))
	}
	f.wantUses("the pass that is left", 3)
}
