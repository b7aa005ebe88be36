package spend_test

import (
	"context"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// pick draws a hold of any status, nil if there is none.
func (m *machine) pick() (uuid.UUID, *machineHold) {
	if len(m.order) == 0 {
		return uuid.Nil, nil
	}
	id := m.order[rapid.IntRange(0, len(m.order)-1).Draw(m.T, "hold")]
	return id, m.holds[id]
}

// add puts a new hold into the model.
func (m *machine) add(id uuid.UUID, credits models.Credits, exclusive string) {
	m.held += credits
	m.holds[id] = &machineHold{credits: credits, status: models.HoldOpen, exclusive: exclusive}
	m.order = append(m.order, id)
}

// exclusive makes a hold whose text no other open hold has.
func (m *machine) exclusive() {
	feature := rapid.SampledFrom([]string{"job_match", "resume_analysis"}).Draw(m.T, "feature")
	r := request(uuid.Nil, m.user, feature, "")
	r.Exclusive = rapid.SampledFrom([]string{"letter", "outreach"}).Draw(m.T, "exclusive")
	var want fault.Code
	if m.balance-m.held < machinePrices[feature] {
		want = fault.InsufficientCredits
	}
	for _, h := range m.holds {
		if h.status == models.HoldOpen && h.exclusive == r.Exclusive {
			want = fault.Conflict
		}
	}
	held, err := m.spend.Hold(context.Background(), r)
	if m.refused(err, want, r); want == "" {
		m.add(held.ID, machinePrices[feature], r.Exclusive)
	}
}

// end updates the model when an open hold ends.
func (m *machine) end(h *machineHold, status models.HoldStatus, captured models.Credits) {
	m.held -= h.credits
	m.balance -= captured
	h.status, h.captured = status, captured
}

func (m *machine) capture() {
	id, h := m.pick()
	if h == nil {
		return
	}
	wanted, credits := h.credits, (*models.Credits)(nil)
	if rapid.Bool().Draw(m.T, "part") {
		wanted = models.Credits(rapid.IntRange(0, int(h.credits)+1).Draw(m.T, "credits"))
		credits = &wanted
	}
	var want fault.Code
	again := h.status == models.HoldCaptured && h.captured == wanted
	switch {
	case wanted < 1:
		want = fault.Invalid
	case again:
	case h.status != models.HoldOpen || h.late:
		want = fault.HoldClosed
	case wanted > h.credits:
		want = fault.Invalid
	}
	done, err := m.spend.Capture(context.Background(), uuid.Nil, id.String(), credits)
	if m.refused(err, want, h); want != "" {
		return
	}
	if done.Replayed != again || done.Captured != wanted || done.Status != models.HoldCaptured {
		m.Fatalf("capture of %d = %+v, want it replayed: %v", wanted, done, again)
	}
	if !again {
		m.end(h, models.HoldCaptured, wanted)
	}
}

func (m *machine) release() {
	id, h := m.pick()
	if h == nil {
		return
	}
	var want fault.Code
	if h.status == models.HoldCaptured {
		want = fault.HoldClosed
	}
	again := h.status != models.HoldOpen
	done, err := m.spend.Release(context.Background(), uuid.Nil, id.String())
	if m.refused(err, want, h); want != "" {
		return
	}
	switch {
	case again:
	case h.late:
		m.end(h, models.HoldExpired, 0)
	default:
		m.end(h, models.HoldReleased, 0)
	}
	if done.Replayed != again || done.Status != h.status {
		m.Fatalf("release = %+v, want %s, replayed: %v", done, h.status, again)
	}
}

// late moves a hold's expiry into the past.
func (m *machine) late() {
	id, h := m.pick()
	if h == nil || h.status != models.HoldOpen {
		return
	}
	if err := m.spend.DB.Exec(`UPDATE holds SET expires_at = now() WHERE id = ?`, id).Error; err != nil {
		m.Fatal(err)
	}
	h.late = true
}

func (m *machine) sweep() {
	if _, err := m.spend.ExpireDue(context.Background()); err != nil {
		m.Fatal(err)
	}
	for _, h := range m.holds {
		if h.status == models.HoldOpen && h.late {
			m.end(h, models.HoldExpired, 0)
		}
	}
}
