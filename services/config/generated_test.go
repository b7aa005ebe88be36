package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

func TestGenerated(t *testing.T) {
	t.Parallel()
	t.Run("is made once, long, and for the owner's eyes", func(t *testing.T) {
		t.Parallel()
		cfg := config.Config{DataDir: filepath.Join(t.TempDir(), "data")}
		first, err := cfg.Generated("stripe-webhook-secret", "whsec_sandbox")
		if err != nil {
			t.Fatalf("generate: %v", err)
		}
		if !strings.HasPrefix(first.Reveal(), "whsec_sandbox") || len(first) != len("whsec_sandbox")+64 {
			t.Errorf("the secret has %d bytes or another beginning, want whsec_sandbox and 64 hex digits", len(first))
		}
		if again, err := cfg.Generated("stripe-webhook-secret", "whsec_sandbox"); err != nil || again != first {
			t.Errorf("the second call gave another secret, or %v", err)
		}
		if other, err := cfg.Generated("session-secret", ""); err != nil || len(other) != 64 ||
			strings.Contains(first.Reveal(), other.Reveal()) {
			t.Errorf("another name gave the same secret, or %v", err)
		}
		wantMode(t, filepath.Join(cfg.DataDir, "secrets"), 0o700)
		wantMode(t, filepath.Join(cfg.DataDir, "secrets", "session-secret"), 0o600)
		wantAlone(t, cfg, 2)
	})
	t.Run("is the same for twenty that ask at once", func(t *testing.T) {
		t.Parallel()
		for range 50 { // one round alone seldom has two of them between looking and writing
			wantTheSame(t, config.Config{DataDir: filepath.Join(t.TempDir(), "data")})
		}
	})
	t.Run("replaces what a crash left half written", func(t *testing.T) {
		t.Parallel()
		cfg := config.Config{DataDir: t.TempDir()}
		if err := os.MkdirAll(filepath.Join(cfg.DataDir, "secrets"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cfg.DataDir, "secrets", "session-secret"), []byte("6d0c"), 0o600); err != nil {
			t.Fatal(err)
		}
		first, err := cfg.Generated("session-secret", "")
		if err != nil || len(first) != 64 {
			t.Fatalf("the secret has %d bytes, %v; want 64", len(first), err)
		}
		if again, err := cfg.Generated("session-secret", ""); err != nil || again != first {
			t.Errorf("the second call gave another secret, or %v", err)
		}
	})
	t.Run("is refused in production", func(t *testing.T) {
		t.Parallel()
		cfg := config.Config{DataDir: filepath.Join(t.TempDir(), "data"), AppEnv: "production"}
		if secret, err := cfg.Generated("session-secret", ""); err == nil || secret != "" {
			t.Error("production got a generated secret")
		}
		if _, err := os.Stat(cfg.DataDir); err == nil {
			t.Error("a refusal made the data directory")
		}
	})
	t.Run("says when it cannot be kept", func(t *testing.T) {
		t.Parallel()
		occupied := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(occupied, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (config.Config{DataDir: occupied}).Generated("session-secret", ""); err == nil {
			t.Error("a secret was made where it cannot be kept")
		}
	})
}

// wantTheSame fails when twenty callers at once do not get one secret.
func wantTheSame(t *testing.T, cfg config.Config) {
	t.Helper()
	var (
		all     [20]config.Secret
		ready   = make(chan struct{})
		running sync.WaitGroup
	)
	for i := range all {
		running.Go(func() {
			<-ready
			secret, err := cfg.Generated("session-secret", "")
			if err != nil {
				t.Errorf("generate: %v", err)
			}
			all[i] = secret
		})
	}
	close(ready)
	running.Wait()
	for i, secret := range all {
		if secret != all[0] || secret == "" {
			t.Errorf("caller %d has another secret than the first", i)
		}
	}
	wantAlone(t, cfg, 1)
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("stat: %v", err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s: got %o, want %o", filepath.Base(path), got, want)
	}
}

// wantAlone fails when something other than so many secrets lies in the directory.
func wantAlone(t *testing.T, cfg config.Config, want int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(cfg.DataDir, "secrets"))
	if err != nil {
		t.Fatalf("read directory: %v", err)
	}
	if len(entries) != want {
		t.Errorf("the directory holds %d files, want %d: %v", len(entries), want, entries)
	}
}
