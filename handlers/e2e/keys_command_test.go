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

// An operator makes a key in a script, sees it in the list, and ends it by what the list shows.
func TestKeysOnTheCommandLine(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	made := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"keys", "create"}, args...)...)
		cmd.Dir, cmd.Env = workDir(t), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), database}
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil || !regexp.MustCompile(`^rmc_[0-9A-Za-z]{38}\n$`).Match(out) {
			t.Fatalf("keys create prints %d bytes (%v), want the key alone: %s", len(out), err, said.String())
		}
		key := strings.TrimSpace(string(out))
		if strings.Contains(said.String(), key) || !strings.Contains(said.String(), "not shown again") {
			t.Errorf("beside the key it says: %s", said.String())
		}
		return key
	}
	list := func(key string) []string {
		t.Helper()
		out, code := command(t, []string{database}, "keys", "list")
		if code != 0 || strings.Contains(out, key) {
			t.Fatalf("keys list ends with %d: %s", code, out)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, key[:12]) {
				return regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
			}
		}
		t.Fatalf("the list lacks %s…: %s", key[:12], out)
		return nil
	}
	first, second := made("--name", "Resume Matcher", "--scope", "spend,read", "--per-minute", "0"), made("--name", "Reports", "--scope", "read", "--expires-days", "30")
	row := list(first)
	if len(row) != 9 || row[1] != "Resume Matcher" || row[3] != "spend,read" || row[4] != "no limit" || row[6] != "-" || row[7] != "-" || row[8] != "-" {
		t.Errorf("the list shows %q", row)
	}
	if other := list(second); other[3] != "read" || other[4] != "1000" || other[7] == "-" {
		t.Errorf("the list shows %q", other)
	}
	for _, c := range []struct{ name, says string }{{row[0], "Revoked key " + row[0]}, {row[2], "revoked before"}, {second[:12], "Revoked key"}} {
		if out, code := command(t, []string{database}, "keys", "revoke", c.name); code != 0 || !strings.Contains(out, c.says) {
			t.Errorf("keys revoke %s ends with %d: %s", c.name, code, out)
		}
	}
	if row := list(first); row[8] == "-" {
		t.Errorf("the list does not show that the key was revoked: %q", row)
	}
	if out, code := command(t, []string{database}, "keys", "revoke", first); code != 1 || strings.Contains(out, first) {
		t.Errorf("a whole key names none: %d %s", code, out)
	}
}
