package webhook

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/logging"
)

// The log says why an event was refused: a clock that is wrong, a wrong secret and a proxy that drops the header need
// different people. The sender does not learn it.
func TestRefusedEventsAreLoggedWithTheReason(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var out bytes.Buffer
	s := &Service{Secrets: []string{testSecret}, Now: func() time.Time { return now },
		Log: logging.NewLogger(&out, slog.LevelInfo, "json")}
	for want, signature := range map[Refusal]string{
		RefusedTime:   sign(goodEvent, testSecret, now.Add(-10*time.Minute)),
		RefusedSecret: sign(goodEvent, "whsec_other", now),
		RefusedHeader: "",
	} {
		out.Reset()
		err := s.Receive(context.Background(), []byte(goodEvent), signature)
		if f := fault.Of(err); f == nil || f.Code != fault.SignatureInvalid || f.Problem != "" || len(f.Detail) != 0 {
			t.Errorf("%s: error %v, want %s and nothing else", want, err, fault.SignatureInvalid)
		}
		if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `"msg":"event refused"`) ||
			!strings.Contains(line, `"reason":"`+string(want)+`"`) {
			t.Errorf("log %q, want one line with the reason %s", line, want)
		}
	}
}

// The log names an event that was not booked, once.
func TestEventNotBookedIsLogged(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var out bytes.Buffer
	s.Log = logging.NewLogger(&out, slog.LevelInfo, "json")
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0)`).Error)
	s.receive(s.completed("evt_1", "cs_1", "paid"))
	for message, want := range map[string]int{
		`"event not booked","event_id":"evt_1"`: 1, `"event of another API version"`: 0, `"postpone event failed"`: 0,
	} {
		if n := strings.Count(out.String(), `"msg":`+message); n != want {
			t.Errorf("%d lines %s, want %d, in:\n%s", n, message, want, out.String())
		}
	}
}
