// Package logging creates the program's logger, which redacts e-mail addresses and secrets.
package logging

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes text or JSON to w and redacts personal data and secrets.
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}
	if format == "json" {
		return slog.New(contextHandler{slog.NewJSONHandler(w, options)})
	}
	return slog.New(contextHandler{slog.NewTextHandler(w, options)})
}

// redactAttr redacts what types and call sites let through.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Redact(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(Redact(fmt.Sprint(v))) // Sprint survives a nil pointer
		case fmt.Stringer:
			a.Value = slog.StringValue(Redact(fmt.Sprint(v)))
		case []byte:
			a.Value = slog.StringValue(Redact(string(v)))
		case *slog.Source, nil:
		default:
			a.Value = redactAny(v)
		}
	}
	return a
}

// redactAny leaves a slice, map or struct as it is while nothing in it needs hiding; otherwise it becomes a text.
func redactAny(value any) slog.Value {
	text := fmt.Sprintf("%+v", value)
	if written, err := json.Marshal(value); err == nil { // what JSON logs would hold: texts behind pointers, raw JSON
		if clean := Redact(string(written)); clean != string(written) {
			return slog.StringValue(clean)
		}
	}
	if clean := Redact(text); clean != text {
		return slog.StringValue(clean)
	}
	return slog.AnyValue(value)
}
