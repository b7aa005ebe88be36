package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a text that logs, errors and pages show as [redacted].
type Secret string

// String hides the secret.
func (s Secret) String() string { return redacted }

// GoString hides the secret.
func (s Secret) GoString() string { return redacted }

// Format hides the secret from every verb of fmt, non-text ones included.
func (s Secret) Format(state fmt.State, _ rune) { hide(state) }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret in JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }

// Secrets are texts that logs, errors and pages show as [redacted].
type Secrets []string

// String hides the secrets.
func (s Secrets) String() string { return redacted }

// GoString hides the secrets.
func (s Secrets) GoString() string { return redacted }

// Format hides the secrets from every verb of fmt.
func (s Secrets) Format(state fmt.State, _ rune) { hide(state) }

// LogValue hides the secrets.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secrets in JSON and the like.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func hide(state fmt.State) {
	_, _ = io.WriteString(state, redacted) // fmt's buffer never fails
}
