package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// An operator makes a key in a script, finds it in the list, and revokes it by its id or prefix.
func TestKeysOnTheCommandLine(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	create := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"keys", "create"}, args...)...)
		cmd.Dir, cmd.Env = workDir(t), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), database}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || !regexp.MustCompile(`^rmc_[0-9A-Za-z]{38}\n$`).Match(out) {
			t.Fatalf("keys create: %d bytes on stdout (%v), want only the key: %s", len(out), err, stderr.String())
		}
		key := strings.TrimSpace(string(out))
		if strings.Contains(stderr.String(), key) || !strings.Contains(stderr.String(), "not shown again") {
			t.Errorf("keys create: stderr = %s, want the warning and not the key", stderr.String())
		}
		return key
	}
	list := func(key string) []string {
		t.Helper()
		out, code := command(t, []string{database}, "keys", "list")
		if code != 0 || strings.Contains(out, key) {
			t.Fatalf("keys list: exit status %d, want 0 and no whole key: %s", code, out)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, key[:12]) {
				return regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
			}
		}
		t.Fatalf("keys list lacks %s…: %s", key[:12], out)
		return nil
	}
	first, second := create("--name", "Resume Matcher", "--scope", "spend,read", "--per-minute", "0"),
		create("--name", "Reports", "--scope", "read", "--expires-days", "30")
	row := list(first)
	if len(row) != 9 || row[1] != "Resume Matcher" || row[3] != "spend,read" || row[4] != "no limit" || row[6] != "-" ||
		row[7] != "-" || row[8] != "-" {
		t.Errorf("keys list: row = %q, want an unlimited, unused key", row)
	}
	if other := list(second); other[3] != "read" || other[4] != "1000" || other[7] == "-" {
		t.Errorf("keys list: row = %q, want scope read, 1000 a minute and an end", other)
	}
	for _, c := range []struct{ name, want string }{{row[0], "Revoked key " + row[0]}, {row[2], "already revoked"},
		{second[:12], "Revoked key"}} {
		if out, code := command(t, []string{database}, "keys", "revoke", c.name); code != 0 ||
			!strings.Contains(out, c.want) {
			t.Errorf("keys revoke %s: exit status %d, want 0 and %q: %s", c.name, code, c.want, out)
		}
	}
	if row := list(first); row[8] == "-" {
		t.Errorf("keys list: row = %q, want it revoked", row)
	}
	if out, code := command(t, []string{database}, "keys", "revoke", first); code != 1 || strings.Contains(out, first) {
		t.Errorf("keys revoke with a whole key: exit status %d, want 1 without the key: %s", code, out)
	}
}
