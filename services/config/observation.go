package config

import (
	"net/url"
	"path"
	"strings"
)

// Tracing says where traces go. The exporter reads further standard variables from the environment, such as
// OTEL_SERVICE_NAME.
type Tracing struct {
	Endpoint       string `env:"EXPORTER_OTLP_ENDPOINT"`        // of the collector, for every kind of data
	TracesEndpoint string `env:"EXPORTER_OTLP_TRACES_ENDPOINT"` // for traces, with the path
	Headers        Secret `env:"EXPORTER_OTLP_HEADERS"`         // name=value,… of each export
	Protocol       string `env:"EXPORTER_OTLP_PROTOCOL"`
	Disabled       bool   `env:"SDK_DISABLED"`
}

// URL is where traces are sent; empty for nowhere.
// Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
func (t Tracing) URL() string {
	switch {
	case t.Disabled:
		return ""
	case t.TracesEndpoint != "":
		return t.TracesEndpoint
	case t.Endpoint != "":
		return strings.TrimRight(t.Endpoint, "/") + "/v1/traces"
	}
	return ""
}

// HeaderMap is Headers by name. A malformed entry is left out.
// Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
func (t Tracing) HeaderMap() map[string]string {
	headers := map[string]string{}
	for _, entry := range list(strings.Split(t.Headers.Reveal(), ",")) {
		name, value, found := strings.Cut(entry, "=")
		if value, err := url.PathUnescape(strings.TrimSpace(value)); found && err == nil {
			headers[strings.TrimSpace(name)] = value
		}
	}
	return headers
}

// checkObservation checks where errors and traces are sent.
func (c *Config) checkObservation(p *problems) {
	if dsn := c.SentryDSN.Reveal(); dsn != "" && (!isDSN(dsn) || unfilled(dsn)) {
		p.add("SENTRY_DSN", "must be the DSN of a Sentry project, https://KEY@HOST/PROJECT")
	}
	for name, address := range map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.Tracing.Endpoint,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.Tracing.TracesEndpoint} {
		if u, err := url.Parse(address); address != "" && (err != nil || !web(u)) {
			p.add(name, "must be the address of a collector such as http://localhost:4318")
		}
	}
	if c.Tracing.Protocol != "" && c.Tracing.Protocol != "http/protobuf" {
		p.add("OTEL_EXPORTER_OTLP_PROTOCOL", "must be http/protobuf, which collectors accept on port 4318")
	}
}

// isDSN reports whether text is a DSN: an address with a key as its user, whose path ends with the project.
// Source: https://develop.sentry.dev/sdk/foundations/transport/authentication/
func isDSN(text string) bool {
	u, err := url.Parse(text)
	return err == nil && web(u) && u.User.Username() != "" && len(strings.Trim(path.Base(u.Path), "./")) > 0
}
