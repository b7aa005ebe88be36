package webhook

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/logging"
)

// inVersion returns the event as an endpoint of that API version receives it.
func inVersion(version, payload string) string {
	return strings.Replace(payload, `"api_version":"2024-06-20"`, fmt.Sprintf(`"api_version":%q`, version), 1)
}

// An endpoint that was made by hand may have an older or a later API version than our client. Its events are booked
// once, like all others, or go to review when they cannot be read. The log names each with its version.
func TestEventsOfAnotherAPIVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2022-11-15", "2025-03-31.basil"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			var out bytes.Buffer
			s.Log = logging.NewLogger(&out, slog.LevelWarn, "json")
			wantLogged := func(eventID string, lines int) {
				t.Helper()
				line := fmt.Sprintf(`"level":"WARN","msg":"event of another API version","event_id":%q,"version":%q`, eventID, version)
				if got := strings.Count(out.String(), line); got != lines {
					t.Errorf("%d lines %s, want %d, in:\n%s", got, line, lines, out.String())
				}
			}

			paid := inVersion(version, s.completed("evt_1", "cs_1", "paid"))
			dbtest.Concurrently(20, func(int) { s.receive(paid) })
			s.wantBalance(1200)
			wantLogged("evt_1", 20)
			s.receive(inVersion(version, refund("evt_2", "re_1", 1000)))
			s.wantBalance(1200 - 342)
			wantLogged("evt_2", 1)
			s.receive(refund("evt_3", "re_2", 2500)) // of our version, through another endpoint
			s.wantBalance(0)
			wantLogged("evt_3", 0)

			for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
				if got := s.statusOf(id); got != models.EventDone {
					t.Errorf("%s is %s, want done", id, got)
				}
			}
			var stored []string
			s.must(s.DB.Raw(`SELECT api_version FROM stripe_events ORDER BY event_id`).Scan(&stored).Error)
			if got, want := strings.Join(stored, " "), version+" "+version+" 2024-06-20"; got != want {
				t.Errorf("stored versions %s, want %s", got, want)
			}

			s.receive(inVersion(version, strings.Replace(refund("evt_4", "re_3", 500), `"amount":500`, `"amount":"5.00"`, 1)))
			s.wantReview("evt_4", models.CauseObjectUnreadable)
			wantLogged("evt_4", 1)
			if needed := `"level":"ERROR","msg":"event needs a person","event_id":"evt_4"`; !strings.Contains(out.String(), needed) {
				t.Errorf("log without %s:\n%s", needed, out.String())
			}
			s.wantBalance(0)
		})
	}
}
