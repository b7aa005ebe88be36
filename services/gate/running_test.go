package gate_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// whileRunning calls meanwhile while Resume Matcher works on a request, and returns the request's error.
func (m *matcher) whileRunning(r gate.Request, meanwhile func()) error {
	m.Helper()
	m.app.SetTransport(resumematcher.Slow)
	served := make(chan error, 1)
	go func() {
		_, _, err := m.serve(m.Context(), 0, r)
		served <- err
	}()
	<-m.app.Arrived()
	meanwhile()
	m.app.Release()
	return <-served
}

// A deletion drops the hold, so the answer is refused and nothing is taken, whether the answer is good or not.
func TestAccountThatIsDeletedWhileARequestRuns(t *testing.T) {
	t.Parallel()
	for _, model := range []resumematcher.Model{resumematcher.Good, resumematcher.Fails500} {
		m := newMatcher(t)
		m.app.SetModel(model)
		err := m.whileRunning(post("/enrichment/analyze/"+m.resume, nil), func() {
			m.must(m.accounts().Delete(t.Context(), m.user))
		})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("model %s: error = %v, want %s", model, err, fault.NotFound)
		}
		if balance, held := m.credits(); balance != 0 || held != 0 || m.rows("holds") != 0 {
			t.Errorf("model %s: balance %d, held %d credits, %d holds; want 0, 0 and 0", model, balance, held, m.rows("holds"))
		}
		dbtest.CheckLedger(t, m.db)
	}
}

// Held credits are promised: a capture takes them even if a refund leaves a debt, and a failed request takes nothing.
func TestRefundWhileARequestRuns(t *testing.T) {
	t.Parallel()
	for model, want := range map[resumematcher.Model]models.Credits{resumematcher.Good: -30, resumematcher.Fails500: -20} {
		m := newMatcher(t)
		m.app.SetModel(model)
		err := m.whileRunning(post("/enrichment/analyze/"+m.resume, nil), func() {
			m.must(postgres.Transaction(t.Context(), m.db, func(tx models.Tx) error {
				_, err := ledger.Post(tx, ledger.Entry{UserID: m.user, Delta: -120, Reason: models.ReasonRefund})
				return err
			}))
		})
		m.must(err)
		if balance, held := m.credits(); balance != want || held != 0 {
			t.Errorf("model %s: balance %d, held %d credits; want %d and 0", model, balance, held, want)
		}
		if _, _, err := m.serve(t.Context(), 1, upload(t)); !fault.Is(err, fault.InsufficientCredits) {
			t.Errorf("model %s, a request in debt: error = %v, want %s", model, err, fault.InsufficientCredits)
		}
		dbtest.CheckLedger(t, m.db)
	}
}
