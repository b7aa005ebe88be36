package handlers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// buildProgram builds another project's program from its pinned source, and returns its path. module is the directory
// of the go.mod that pins it.
func buildProgram(t *testing.T, module, name string, tags ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-n", name)
	cmd.Dir = module
	flags := "GOFLAGS=-buildvcs=false -trimpath"
	if len(tags) > 0 {
		flags += " -tags=" + strings.Join(tags, ",")
	}
	cmd.Env = append(os.Environ(), flags, "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	path, err := cmd.Output()
	if err != nil {
		t.Fatalf("build %s: %v", name, err)
	}
	return strings.TrimSpace(string(path))
}
