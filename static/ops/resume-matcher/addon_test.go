// Package resumematcher_test checks the files with which an operator puts the server in front of Resume Matcher.
package resumematcher_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTenantAddOn runs the tests of the add-on, which are in Python and use a made-up Resume Matcher.
func TestTenantAddOn(t *testing.T) {
	t.Parallel()
	// A copy takes Python's files. Making it opens each source, so that Go repeats no result of other sources.
	folder := t.TempDir()
	for _, part := range []string{"tenant", "test"} {
		if err := os.CopyFS(filepath.Join(folder, part), os.DirFS(part)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-m", "unittest", "test_tenant", "test_start")
	cmd.Dir = filepath.Join(folder, "test")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("tests of the tenant add-on: %v\n%s", err, out)
	}
}
