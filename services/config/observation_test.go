package config_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/config"
)

func TestSentryDSN(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil, "https://b1946ac9@o1.ingest.sentry.io/4711": nil, "http://b1946ac9@sentry.internal:9000/base/7": nil,
		"b1946ac9": {"SENTRY_DSN"}, "https://sentry.io/4711": {"SENTRY_DSN"}, "https://b1946ac9@sentry.io": {"SENTRY_DSN"},
		"https://b1946ac9@sentry.io/": {"SENTRY_DSN"}, "ftp://b1946ac9@sentry.io/1": {"SENTRY_DSN"},
		"https://<key>@sentry.io/1": {"SENTRY_DSN"},
	} {
		if got := wrong(t, with(map[string]string{"SENTRY_DSN": text})); !slices.Equal(got, want) {
			t.Errorf("SENTRY_DSN=%q: reported %v, want %v", text, got, want)
		}
	}
}

// Traces go where OpenTelemetry's variables say, and nowhere without them.
func TestCollector(t *testing.T) {
	t.Parallel()
	const endpoint, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{endpoint: "http://localhost:4318"}, "http://localhost:4318/v1/traces"},
		{map[string]string{endpoint: "https://otlp.example.com/base/"}, "https://otlp.example.com/base/v1/traces"},
		{map[string]string{endpoint: "http://a:4318", traces: "http://b:4318/t"}, "http://b:4318/t"},
		{map[string]string{endpoint: "http://a:4318", "OTEL_SDK_DISABLED": "true"}, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "api-key=x"}, ""},
	} {
		cfg, err := config.Load(with(c.env))
		if got := cfg.Tracing.URL(); err != nil || got != c.want {
			t.Errorf("%v: traces go to %q, %v; want %q", c.env, got, err, c.want)
		}
	}
	for name, text := range map[string]string{endpoint: "localhost:4318", traces: "grpc://localhost:4317",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SDK_DISABLED": "perhaps"} {
		if got := wrong(t, with(map[string]string{name: text})); !slices.Equal(got, []string{name}) {
			t.Errorf("%s=%s: reported %v, want %s", name, text, got, name)
		}
	}
	headers := map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%3Db, x-scope = 1,broken,bad=%zz"}
	cfg, err := config.Load(with(headers))
	want := map[string]string{"api-key": "a=b", "x-scope": "1"}
	if diff := cmp.Diff(want, cfg.Tracing.HeaderMap()); err != nil || diff != "" {
		t.Errorf("headers (%v) (-want +got):\n%s", err, diff)
	}
}
