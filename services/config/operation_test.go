package config_test

import (
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/config"
)

func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		text string
		want time.Duration
	}{
		{nil, "", 0},
		{rehearsal, "", 0},
		{production, "", 5 * time.Second},
		{production, "0", 0},
		{nil, "7", 7 * time.Second},
		{production, "500ms", 500 * time.Millisecond},
		{production, "5m", 5 * time.Minute},
	} {
		cfg, err := config.Load(with(c.env, map[string]string{"SHUTDOWN_DELAY": c.text}))
		if err != nil || cfg.Drain != c.want {
			t.Errorf("SHUTDOWN_DELAY=%q: %s, %v; want %s", c.text, cfg.Drain, err, c.want)
		}
	}
	for _, text := range []string{"-1", "-1s", "5x", "301", "1h", "1e3", "٣", "99999999999"} {
		if got := wrong(t, with(map[string]string{"SHUTDOWN_DELAY": text})); !slices.Equal(got, []string{"SHUTDOWN_DELAY"}) {
			t.Errorf("SHUTDOWN_DELAY=%q: reported %v, want SHUTDOWN_DELAY", text, got)
		}
	}
}

func TestMetricsToken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, "4be1c07f93d52a86": nil, "short": {"METRICS_TOKEN"}, "aaaaaaaaaaaaaaaaaaaaaaaa": {"METRICS_TOKEN"},
		"changeme-4be1c07f93d52a86": {"METRICS_TOKEN"},
	} {
		if got := wrong(t, with(map[string]string{"METRICS_TOKEN": text})); !slices.Equal(got, want) {
			t.Errorf("METRICS_TOKEN=%q: reported %v, want %v", text, got, want)
		}
	}
}
