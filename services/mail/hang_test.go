package mail_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/mailbox"
)

const shortTimeout = 50 * time.Millisecond

// wantSent repairs the mail server, and checks that each letter arrives under one Message-ID.
func (f *fixture) wantSent(letters int) {
	f.t.Helper()
	f.box.SetFault(mailbox.Good)
	f.Server.Timeout = time.Minute
	f.ahead += 24 * time.Hour
	f.send()
	var waiting int64
	if err := f.DB.Raw(`SELECT count(*) FROM letters WHERE status <> 'sent'`).Row().Scan(&waiting); err != nil {
		f.t.Fatal(err)
	}
	if got := len(f.box.Letters()); waiting != 0 || got != letters {
		f.t.Errorf("%d letters are not sent, %d Message-IDs arrived; want 0 and %d", waiting, got, letters)
	}
}

// A server that never greets costs its time limit, and keeps no letter.
func TestMailServerDoesNotGreet(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Server.Timeout = shortTimeout
	f.add("first")
	f.add("second")
	f.box.SetFault(mailbox.Silent)
	f.send()
	f.want("without a greeting", "first", models.LetterWaiting, 1, models.CauseMailAway)
	f.want("without a greeting", "second", models.LetterWaiting, 1, models.CauseMailAway)
	f.wantSent(2)
}

// A message whose answer never comes does not keep the others: each is handed over, over a connection of its own.
func TestMailServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Server.Timeout = shortTimeout
	const letters = 3
	for i := range letters {
		f.add(fmt.Sprint(i))
	}
	f.box.SetFault(mailbox.Hang)
	dbtest.Eventually(t, "all letters are handed over while the server answers none", func() bool {
		f.send() // one round does, unless this machine is slower than the time limit
		f.ahead += 3 * time.Minute
		return len(f.box.Letters()) == letters
	})
	f.wantSent(letters)
}

// A process that stops while the server hangs gives back the letters that it has not tried.
func TestStopWhileTheMailServerHangs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add("first")
	f.add("second")
	f.box.SetFault(mailbox.Hang)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.SendDue(ctx) }()
	dbtest.Eventually(t, "the first letter is on its way", func() bool { return len(f.box.Letters()) == 1 })
	stop()
	f.box.SetFault(mailbox.Closed) // the answer to the first comes
	if err := <-ended; err != nil {
		t.Errorf("error = %v, want none", err)
	}
	f.want("after the stop", "first", models.LetterSent, 1, "")
	f.want("after the stop", "second", models.LetterWaiting, 0, "")
}
