package config_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/config"
)

const exampleFile = "../../.env.example"

// setting is a line of the example that sets a variable, or would without the # before it.
var setting = regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]*)=.*$`)

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatalf("read the example: %v", err)
	}
	return string(text)
}

func TestExample(t *testing.T) {
	t.Run("names every variable once, and no other", func(t *testing.T) {
		fields, err := env.GetFieldParams(&config.Config{})
		if err != nil {
			t.Fatalf("read the tags: %v", err)
		}
		var want, got []string
		for _, field := range fields {
			want = append(want, field.Key)
		}
		for _, match := range setting.FindAllStringSubmatch(readExample(t), -1) {
			got = append(got, match[1])
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("variables (-code +example):\n%s", diff)
		}
	})
	t.Run("explains every variable", func(t *testing.T) {
		for block := range strings.SplitSeq(readExample(t), "\n\n") {
			if setting.MatchString(block) && !strings.HasPrefix(strings.TrimSpace(block), "# ") {
				t.Errorf("a setting without a comment above it:\n%s", block)
			}
		}
	})

	plain, err := config.Load(with())
	if err != nil {
		t.Fatalf("load nothing: %v", err)
	}
	for name, text := range map[string]string{
		"is the sandbox as it stands": readExample(t),
		"holds the defaults once it is uncommented": setting.ReplaceAllStringFunc(readExample(t),
			func(line string) string { return strings.TrimPrefix(line, "#") }),
	} {
		t.Run(name, func(t *testing.T) {
			writeEnv(t, text)
			cfg, err := config.Load(config.Environment(nil))
			if err != nil {
				t.Fatalf("load: %v", err)
			}
			if cfg.Mode != config.Sandbox || !reflect.DeepEqual(cfg, plain) {
				t.Errorf("configuration: got %+v, want %+v", cfg, plain)
			}
		})
	}
}

// writeEnv makes a working directory with this .env for the rest of the test.
func writeEnv(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Run("reads .env behind the variables", func(t *testing.T) {
		writeEnv(t, "PORT=4100\nLOG_LEVEL=debug\n")
		vars := config.Environment([]string{"PORT=4200", "LOG_LEVEL="})
		if port, level := vars["PORT"], vars["LOG_LEVEL"]; port != "4200" || level != "debug" {
			t.Errorf("PORT: got %q, LOG_LEVEL = %q, want 4200 of the variable and debug of the file", port, level)
		}
	})
	t.Run("does without .env", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if _, err := config.Load(config.Environment(nil)); err != nil {
			t.Errorf("load: %v", err)
		}
	})
	t.Run("reads no .env in production", func(t *testing.T) {
		writeEnv(t, "STRIPE_API_BASE=http://localhost:12111\n")
		for _, spelling := range []string{"production", " production\n"} {
			vars := config.Environment([]string{"APP_ENV=" + spelling})
			if got := vars["STRIPE_API_BASE"]; got != "" {
				t.Errorf("production read %q from .env", got)
			}
		}
	})
	for name, text := range map[string]string{
		"reports a .env that cannot be read": "STRIPE_SECRET_KEY sk_live_9aFq2LmZ\n",
		"reports a quote that does not end":  "SESSION_SECRET='9aFq2LmZ\n",
	} {
		t.Run(name, func(t *testing.T) {
			writeEnv(t, text)
			_, err := config.Load(config.Environment(nil))
			if err == nil || !strings.Contains(err.Error(), ".env cannot be read") || strings.Contains(err.Error(), "9aFq2LmZ") {
				t.Errorf("error: got %v, want one that names .env and quotes nothing", err)
			}
		})
	}
}
