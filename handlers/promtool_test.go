package handlers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// promtool checks the rules and runs tests of them with Prometheus' own program.
func promtool(t *testing.T, tests map[string]any) {
	t.Helper()
	text, err := yaml.Marshal(tests)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(monitoring)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "tests.yml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(program string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	program := monitoringTool(t, "promtool")
	run(program, "check", "rules", "alerts.yml")
	run(program, "check", "config", "--syntax-only", "prometheus.yml")
	run(program, "test", "rules", "tests.yml")
	run(monitoringTool(t, "amtool"), "check-config", "alertmanager.yml")
}

// monitoringTool builds a program of Prometheus without the clouds that it can watch.
func monitoringTool(t *testing.T, name string) string {
	t.Helper()
	return buildProgram(t, "../static/ops/testdata/prometheus", name, "remove_all_sd")
}
