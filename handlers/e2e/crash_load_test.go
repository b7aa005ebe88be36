package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

const buyers = 3

// loadRun is two replicas on one database, under a constant load of purchases and their events.
type loadRun struct {
	t         *testing.T
	fx        *fixture
	replicas  [2]*site
	dir       string
	ports     [2]int
	sender    *eventSender
	mail      *mailServer
	stopped   chan struct{}
	mu        sync.Mutex
	purchases []*purchase
}

func newLoadRun(t *testing.T, seed uint64) *loadRun {
	run := &loadRun{t: t, fx: newFixture(t, 5), dir: workDir(t), ports: [2]int{freePort(t), freePort(t)},
		mail: newMailServer(t, seed), stopped: make(chan struct{})}
	var next atomic.Int64
	run.sender = newEventSender(t, func(int) string {
		return fmt.Sprintf("http://localhost:%d", run.ports[next.Add(1)%2])
	})
	run.startReplica(0)
	run.startReplica(1)
	return run
}

func (run *loadRun) startReplica(replica int) {
	run.replicas[replica] = startOn(run.t, run.ports[replica], run.dir, append(run.fx.env(),
		"SMTP_URL=smtp://"+run.mail.address, "MAIL_FROM=credits@example.com",
		"ADMIN_EMAILS=operator@example.com")...)
}

// buyUntilStopped makes purchases one after another. Stripe delivers each purchase's events in random order, several
// times and concurrently, with several events about the same fact.
func (run *loadRun) buyUntilStopped(dice *rand.Rand) {
	for {
		select {
		case <-run.stopped:
			return
		default:
		}
		p := run.fx.newPurchase(run.t, run.fx.users[dice.IntN(len(run.fx.users))])
		run.mu.Lock()
		run.purchases = append(run.purchases, p)
		run.mu.Unlock()
		p.history(dice)
		events := append([]stripeEvent{}, p.events...)
		for range 1 + dice.IntN(3) {
			events = append(events, p.events[dice.IntN(len(p.events))])
		}
		dice.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		run.sender.sendAll(run.t, 1, events...)
	}
}

// history adds random events: the payment, at once or after days, and perhaps a refund, a dispute or both.
func (p *purchase) history(dice *rand.Rand) {
	if dice.IntN(4) == 0 {
		p.checkout("checkout.session.completed", "1", "unpaid")
		p.checkout("checkout.session.async_payment_succeeded", "2", "paid")
	} else {
		p.paid()
	}
	if dice.IntN(5) == 0 {
		p.checkout("checkout.session.completed", "again", "paid") // Stripe may send two events about one payment
	}
	if dice.IntN(2) == 0 {
		p.refund(1 + dice.Int64N(packageCents))
		p.charge()
	}
	if dice.IntN(4) == 0 {
		cents := 1 + dice.Int64N(packageCents)
		p.dispute("charge.dispute.created", "needs_response", cents)
		if dice.IntN(2) == 0 {
			p.dispute("charge.dispute.closed", []string{"won", "lost"}[dice.IntN(2)], cents)
		}
	}
}

// killReplicas kills one replica or both, sometimes with all database connections, and starts them again.
func (run *loadRun) killReplicas(dice *rand.Rand) {
	for range dice.IntN(16) {
		select {
		case <-run.sender.accepted:
		case <-time.After(hangTimeout):
			run.t.Fatalf("no event accepted within %s", hangTimeout)
		}
	}
	victims := []int{dice.IntN(2)}
	if dice.IntN(6) == 0 {
		victims = []int{0, 1}
	}
	for _, v := range victims {
		run.replicas[v].kill()
	}
	if dice.IntN(4) == 0 {
		run.fx.disconnect(run.t)
	}
	for _, v := range victims {
		run.startReplica(v)
	}
}

// letterCount returns how many letters exist of the statuses.
func (fx *fixture) letterCount(t testing.TB, where string) int64 {
	t.Helper()
	return fx.count(t, `SELECT count(*) FROM letters WHERE `+where)
}

// waitForLetters waits until every letter is sent, except those above the limit of letters to the operator, and checks
// that each has arrived under one Message-ID.
func (run *loadRun) waitForLetters() {
	t, fx := run.t, run.fx
	t.Helper()
	run.mail.behave()
	sent := fmt.Sprintf(`status = 'sent' OR status = 'dropped' AND last_error = '%s'`, models.CauseMailLimit)
	dbtest.Reaches(t, "letters that are not sent", func() int64 {
		fx.exec(t, `UPDATE letters SET next_attempt_at = now() WHERE status = 'waiting'
			AND NOT EXISTS (SELECT FROM letters WHERE status = 'waiting' AND next_attempt_at <= now())`)
		return fx.letterCount(t, `NOT (`+sent+`)`)
	}, 0)
	run.mail.mu.Lock()
	defer run.mail.mu.Unlock()
	var ids []string
	if err := fx.db.Raw(`SELECT id || '@example.com' FROM letters WHERE status = 'sent'`).Scan(&ids).Error; err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, id := range ids {
		text, arrived := run.mail.texts[id]
		if !arrived {
			t.Errorf("letter %s is sent and has not arrived", id)
		}
		if twin, twice := texts[text]; twice {
			t.Errorf("letters %s and %s say the same:\n%s", id, twin, text)
		}
		texts[text] = id
	}
	if len(run.mail.texts) != len(ids) {
		t.Errorf("%d Message-IDs have arrived, want those of %d letters", len(run.mail.texts), len(ids))
	}
	var slow float64
	if err := fx.db.Raw(`SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at)) FROM letters
		WHERE attempts = 1`).Scan(&slow).Error; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d letters in %d copies, the mail server died %d times; 99 %% of the letters that needed one attempt arrived "+
		"within %.1f s of their cause", len(ids), run.mail.copies, run.mail.deaths, slow)
}

// Two replicas under load book every purchase once, and send each letter about it under one Message-ID, although one or
// both are killed again and again, and the mail server dies and loses answers.
func TestKilledAtRandomUnderLoad(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	run := newLoadRun(t, seed)
	var buying sync.WaitGroup
	for i := range uint64(buyers) {
		buying.Go(func() { run.buyUntilStopped(rand.New(rand.NewPCG(seed, i))) })
	}
	stop := sync.OnceFunc(func() { close(run.stopped); buying.Wait() })
	t.Cleanup(stop)
	dice := rand.New(rand.NewPCG(seed, buyers))
	kills := dbtest.Depth(5, 50)
	letters := int64(dbtest.Depth(200, 10_000))
	// At least half interrupt a request.
	for n := 0; n < kills || run.sender.aborted.Load() < int64(kills)/2 || run.fx.letterCount(t, `true`) < letters; n++ {
		if n == 20*kills {
			t.Fatalf("%d kills interrupted %d attempts, and there are %d letters; want at least %d and %d", n,
				run.sender.aborted.Load(), run.fx.letterCount(t, `true`), kills/2, letters)
		}
		run.killReplicas(dice)
	}
	stop()

	sent := int64(0)
	for _, p := range run.purchases {
		sent += int64(len(p.events))
	}
	t.Logf("%d purchases, %d events; %d attempts interrupted, %d refused, %d without a server", len(run.purchases), sent,
		run.sender.aborted.Load(), run.sender.refused.Load(), run.sender.unreachable.Load())
	run.fx.waitForEvents(t, sent)
	run.fx.checkPurchases(t, run.purchases...)
	run.waitForLetters()
}
