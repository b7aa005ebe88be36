package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

func TestSecretsAreUnprintable(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(with(production))
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	hidden := []string{"4f1c9b", "9aFq2LmZ", "7Yt3kPwQ", "6d0c1f7be2a94c58", "b1946ac9"}
	for name, value := range map[string]any{
		"a secret": cfg.StripeSecretKey, "a list of them": cfg.WebhookSecrets, "an app": cfg.GitHub,
		"the configuration": cfg, "a pointer to it": &cfg, "a slice of it": []config.Config{cfg},
		"a map of it": map[string]any{"cfg": cfg},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, text := range spellings(t, value) {
				for _, secret := range hidden {
					if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
						t.Errorf("a secret is printed: %s", text)
					}
				}
				if !strings.Contains(text, "[redacted]") {
					t.Errorf("nothing says that there is a secret: %s", text)
				}
			}
		})
	}
}

// spellings is the value as everything prints it that may come across it.
func spellings(t *testing.T, value any) []string {
	t.Helper()
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%f", "%c", "%U", "%!"} {
		texts = append(texts, fmt.Sprintf(verb, value))
	}
	texts = append(texts, fmt.Sprint(value), fmt.Sprintln(value), fmt.Errorf("load %v", value).Error())
	marshalled, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	var text, lines bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("loaded", "value", value)
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("loaded", "value", value)
	return append(texts, string(marshalled), text.String(), lines.String())
}

func TestSecretReveal(t *testing.T) {
	t.Parallel()
	if got := config.Secret("9aFq2LmZ").Reveal(); got != "9aFq2LmZ" {
		t.Errorf("reveal: got %q, want the secret itself", got)
	}
}
