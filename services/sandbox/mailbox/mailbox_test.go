package mailbox_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/mailbox"
)

// A mailbox that is closed, also right after its start, ends without a word in the log.
func TestClosedMailboxLogsNothing(t *testing.T) {
	t.Parallel()
	for range 20 {
		var log bytes.Buffer
		box, err := mailbox.Start(t.Context(), "127.0.0.1:0", slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
		if log.Len() > 0 {
			t.Fatalf("log = %s, want nothing", log.String())
		}
	}
}
