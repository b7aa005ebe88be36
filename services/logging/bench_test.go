package logging_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/logging"
)

// BenchmarkRedact is what the second net costs: a line of a request, beside the same line without the net, and a long
// text.
func BenchmarkRedact(b *testing.B) {
	discard := slog.NewJSONHandler(discarded{}, nil)
	for name, log := range map[string]*slog.Logger{
		"line":           logging.NewLogger(discarded{}, slog.LevelInfo, "json"),
		"line yardstick": slog.New(discard),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				log.Info("request", "request_id", "req_01939341-7c1e-7b52-9a4c-0f6e1d2c3b4a", "method", "POST", "path",
					"/api/credits/spend",
					"status", 201, "user_id", 4711, "kind", "resume_analysis", "credits", -10)
			}
		})
	}
	long := strings.Repeat("goroutine 1 [running]: main.serve(0xc000012345)\n\t/app/main.go:42 +0x1d\n", 1000)
	b.Run("long text", func(b *testing.B) {
		b.SetBytes(int64(len(long)))
		for b.Loop() {
			logging.Redact(long)
		}
	})
}

type discarded struct{}

func (discarded) Write(p []byte) (int, error) { return len(p), nil }
