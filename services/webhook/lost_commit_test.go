package webhook

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// lockedBuffer is a log that goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends to the log.
func (b *lockedBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *lockedBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

// An event whose COMMIT is not answered is booked once and logged once, even while the database is away.
func TestLostReplyToCommitOfAnEvent(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]bool{"for a moment": false, "in an outage": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, log := newFixture(t), &lockedBuffer{}
			network, direct := dbtest.LossyURL(t, dbtest.URLOf(s.DB)), s.DB
			lossy, err := postgres.Open(network.URL, nil)
			s.must(err)
			t.Cleanup(func() { postgres.Close(lossy) })
			if !outage {
				lossy = postgres.ConfirmWithin(lossy, dbtest.HangTimeout)
			}
			s.DB, s.Purchase.DB, s.Log = lossy, lossy, slog.New(slog.NewTextHandler(log, nil))
			s.Purchase.Log = s.Log
			network.Outage.Store(outage)
			network.Replies.Store(1)
			payload := s.completed("evt_1", "cs_1", "paid")
			err = s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock))
			if (err != nil) != outage {
				t.Errorf("receive: %v, want an error: %t", err, outage)
			}
			if outage {
				network.Restore()
			}
			s.deliver(payload)
			dbtest.Eventually(t, "the entry is logged", func() bool { return log.count("credits moved") > 0 })
			if s.DB = direct; log.count("credits moved") != 1 {
				t.Errorf("%d lines, want 1", log.count("credits moved"))
			}
			s.wantBalance(1200)
		})
	}
}
