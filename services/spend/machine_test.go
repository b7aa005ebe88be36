package spend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

const machineSteps = 50

// TestMachine runs random operations on an account and compares its balance and held credits with a small model.
func TestMachine(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &spend.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	played := 0
	dbtest.Check(t, 20, 1000, func(r *rapid.T) {
		played++
		newMachine(r, s, played).play()
	})
	dbtest.CheckLedger(t, db)
}

// machine is an account and the model of its expected state.
type machine struct {
	*rapid.T
	spend         *spend.Service
	user          int64
	balance, held models.Credits
	holds         map[uuid.UUID]*machineHold
	order         []uuid.UUID       // of the holds
	calls         []call            // all with a key, the refused ones too
	answers       map[string]string // by key, of those that were not refused
}

// machineHold is the model of a hold. An expired one stays open and late until the sweep or a release ends it.
type machineHold struct {
	credits, captured models.Credits
	status            models.HoldStatus
	late              bool
	exclusive         string
}

// call is a request that may be repeated by its key.
type call struct {
	kind    string // spend, hold, grant or refund
	feature string
	credits models.Credits
	key     string
}

var machinePrices = map[string]models.Credits{"resume_analysis": 10, "job_match": 5, "resume_improvement": 15}

func newMachine(r *rapid.T, s *spend.Service, run int) *machine {
	m := &machine{T: r, spend: s, holds: map[uuid.UUID]*machineHold{}, answers: map[string]string{}}
	if err := s.DB.Raw(`INSERT INTO users (email, locale) VALUES (?, 'en') RETURNING id`,
		fmt.Sprintf("user%d@example.com", run)).Scan(&m.user).Error; err != nil {
		r.Fatal(err)
	}
	return m
}

func (m *machine) play() {
	steps := map[string]func(){
		"spend": m.feature("spend"), "hold": m.feature("hold"), "grant": m.move("grant"), "refund": m.move("refund"),
		"capture": m.capture, "release": m.release, "late": m.late, "sweep": m.sweep, "again": m.again,
		"exclusive": m.exclusive,
		"otherwise": m.otherwise,
	}
	names := []string{"grant", "grant", "spend", "spend", "hold", "hold", "hold", "exclusive", "exclusive",
		"capture", "capture", "release", "late", "sweep", "refund", "again", "again", "otherwise"}
	for range machineSteps {
		step := rapid.SampledFrom(names).Draw(m.T, "step")
		steps[step]()
		m.compare(step)
	}
	for id, h := range m.holds {
		found, err := m.spend.Find(context.Background(), uuid.Nil, id.String())
		want := h.status
		if h.status == models.HoldOpen && h.late {
			want = models.HoldExpired
		}
		if err != nil || found.Status != want || found.Captured != h.captured || found.Credits != h.credits {
			m.Fatalf("hold = %+v, %v; want %s, %d of %d credits", found, err, want, h.captured, h.credits)
		}
	}
}

// compare checks the account against the model.
func (m *machine) compare(step string) {
	var u models.User
	if err := m.spend.DB.Take(&u, m.user).Error; err != nil {
		m.Fatal(err)
	}
	if u.CreditsBalance != m.balance || u.CreditsHeld != m.held {
		m.Fatalf("after %s: balance %d, held %d; want %d and %d", step, u.CreditsBalance, u.CreditsHeld, m.balance, m.held)
	}
}

// refused checks that the call was refused with the wanted code, or succeeded if the code is empty.
func (m *machine) refused(err error, want fault.Code, what any) {
	if want == "" && err != nil || want != "" && !fault.Is(err, want) {
		m.Fatalf("%+v with balance %d, held %d: error = %v, want %q", what, m.balance, m.held, err, want)
	}
}

func (m *machine) feature(kind string) func() {
	return func() {
		feature := rapid.SampledFrom([]string{"job_match", "resume_analysis", "resume_improvement"}).Draw(m.T, "feature")
		m.first(call{kind: kind, feature: feature, credits: machinePrices[feature]})
	}
}

func (m *machine) move(kind string) func() {
	return func() { m.first(call{kind: kind, credits: models.Credits(rapid.IntRange(1, 40).Draw(m.T, "credits"))}) }
}

func (m *machine) first(c call) {
	c.key = fmt.Sprint(len(m.calls))
	m.calls = append(m.calls, c)
	m.call(c)
}

// again repeats an earlier call. A refused call runs as new.
func (m *machine) again() {
	if len(m.calls) > 0 {
		m.call(rapid.SampledFrom(m.calls).Draw(m.T, "call"))
	}
}

// otherwise sends another request with a used key.
func (m *machine) otherwise() {
	if len(m.answers) == 0 {
		return
	}
	c := rapid.SampledFrom(m.calls).Draw(m.T, "call")
	if _, done := m.answers[c.key]; done {
		c.kind = map[string]string{"spend": "hold", "hold": "spend", "grant": "refund", "refund": "grant"}[c.kind]
		_, _, err := m.ask(c)
		m.refused(err, fault.Conflict, c)
	}
}

// call sends a new or repeated call and checks its result against the model.
func (m *machine) call(c call) {
	answer, replayed, err := m.ask(c)
	if before, done := m.answers[c.key]; done {
		if err != nil || !replayed || answer != before {
			m.Fatalf("%+v again = %s (replayed: %v), %v\nwant %s", c, answer, replayed, err, before)
		}
		return
	}
	var want fault.Code
	if (c.kind == "spend" || c.kind == "hold") && m.balance-m.held < c.credits {
		want = fault.InsufficientCredits
	}
	if m.refused(err, want, c); want != "" {
		return
	}
	if replayed {
		m.Fatalf("%+v was never carried out, and is replayed", c)
	}
	m.answers[c.key] = answer
	switch c.kind {
	case "grant":
		m.balance += c.credits
	case "hold":
		var made models.Hold
		if err := json.Unmarshal([]byte(answer), &made); err != nil {
			m.Fatal(err)
		}
		m.add(made.ID, c.credits, "")
	default:
		m.balance -= c.credits
	}
}

// ask sends a call and returns the answer without its replay flag.
func (m *machine) ask(c call) (string, bool, error) {
	ctx := context.Background()
	if c.kind == "hold" {
		held, err := m.spend.Hold(ctx, request(uuid.Nil, m.user, c.feature, c.key))
		held.ExpiresAt = time.Time{} // late changes it directly in the database
		answer, _ := json.Marshal(held.Hold)
		return string(answer), held.Replayed, err
	}
	var posted ledger.Posted
	var err error
	if c.kind == "spend" {
		posted, err = m.spend.Spend(ctx, request(uuid.Nil, m.user, c.feature, c.key).Request)
	} else {
		e := ledger.Entry{UserID: m.user, Delta: c.credits, Reason: models.ReasonManual,
			Meta: models.Meta{IdempotencyKey: c.key, RequestHash: c.kind}}
		if c.kind == "refund" {
			e.Delta, e.Reason = -c.credits, models.ReasonRefund
		}
		err = postgres.Transaction(ctx, m.spend.DB, func(tx models.Tx) (err error) {
			posted, err = ledger.Post(tx, e)
			return err
		})
	}
	return fmt.Sprint(posted.ID, posted.DeltaCredits, posted.BalanceAfter), posted.Replayed, err
}
