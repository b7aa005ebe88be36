// Package observe is how the program tells its operator what it does, without naming anybody.
package observe

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
)

// NewLogger returns a logger that writes text or JSON to w and redacts what could name a person or open a door.
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}
	if format == "json" {
		return slog.New(contextHandler{slog.NewJSONHandler(w, options)})
	}
	return slog.New(contextHandler{slog.NewTextHandler(w, options)})
}

// redactAttr is the second net: what types and call sites let through is caught here.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Redact(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(Redact(v.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(Redact(v.String()))
		}
	}
	return a
}

var secrets = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`[\pL\pN._%+\-]+@[\pL\pN\-]+(\.[\pL\pN\-]+)*`), "[e-mail]"},
	{regexp.MustCompile(`\b(sk|rk|pk)_(live|test)_[A-Za-z0-9_]+`), "[key]"},
	{regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/=_]+`), "[key]"},
	{regexp.MustCompile(`\brmc_[A-Za-z0-9_\-]+`), "[key]"},
	{regexp.MustCompile(`(?i)\bbearer\s+[A-Za-z0-9._~+/=\-]+`), "Bearer [key]"},
	{regexp.MustCompile(`(postgres(?:ql)?://)[^\s"']+`), "${1}[address]"},
	{regexp.MustCompile(`\b(?:\d[ -]?){13,19}\b`), "[number]"},
}

// Redact takes e-mail addresses, keys, database addresses and card numbers out of a text.
func Redact(text string) string {
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.instead)
	}
	return text
}
