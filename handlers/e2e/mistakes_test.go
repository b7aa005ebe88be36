package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakesAreFound plants each mistake with the header Tests, in its Package: one of these tests must fail.
func TestMistakesAreFound(t *testing.T) {
	passing := map[string]bool{} // packages with tests that pass without a mistake
	plantEach(t, "Tests", func(t *testing.T, dir string, m mistake) {
		pkg, tests := m.header("Package"), m.header("Tests")
		if !passing[pkg+tests] {
			if out, failed := runTests(t, dir, pkg, tests); failed {
				t.Fatalf("%s in %s fail without the mistake:\n%s", tests, pkg, out)
			}
			passing[pkg+tests] = true
		}
		apply(t, dir, m.patch)
		defer apply(t, dir, m.patch, "--reverse")
		switch out, failed := runTests(t, dir, pkg, tests); {
		case uncompiled(out):
			t.Errorf("the mistake does not compile:\n%s", out)
		case !failed:
			t.Errorf("%s in %s pass with the mistake, want a failure", tests, pkg)
		}
	})
}

// mistake is a patch in testdata/mistakes that makes money wrong, an answer untrue or a page unusable. Its headers name
// what must fail with it: Tests in a Package, or scenarios of TestFaults (Faults).
type mistake struct {
	name  string
	patch []byte
}

// mistakes reads all of them.
func mistakes(t *testing.T) (all []mistake) {
	t.Helper()
	files, err := filepath.Glob("testdata/mistakes/*.patch")
	if err != nil || len(files) == 0 {
		t.Fatalf("no patches in testdata/mistakes (%v)", err)
	}
	for _, file := range files {
		patch, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".patch"), "-", " ")
		all = append(all, mistake{name, patch})
	}
	return all
}

// header returns a header's value; empty without one.
func (m mistake) header(name string) string {
	for line := range bytes.Lines(m.patch) {
		if value, ok := bytes.CutPrefix(line, []byte(name+": ")); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// plantEach runs check with a copy of the sources for each mistake that has a header. Each takes a build, so only make
// bite, make test-full and make bite-faults do that.
func plantEach(t *testing.T, header string, check func(t *testing.T, dir string, m mistake)) {
	t.Helper()
	if os.Getenv("PLANT_MISTAKES") != header {
		t.Skip("make bite and make bite-faults run this test")
	}
	dir := copySources(t)
	for _, m := range mistakes(t) {
		if m.header(header) != "" {
			t.Run(m.name, func(t *testing.T) { check(t, dir, m) })
		}
	}
}

// uncompiled reports whether go test printed that a package does not compile.
func uncompiled(out string) bool {
	return strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]")
}

// apply applies a patch, or reverses it, and rebuilds the generated files it affects.
func apply(t *testing.T, dir string, patch []byte, flags ...string) {
	t.Helper()
	inCopy(t, dir, patch, "git", append([]string{"apply", "-C1", "--recount"}, flags...)...)
	if bytes.Contains(patch, []byte("\n+++ b/views/")) {
		inCopy(t, dir, nil, "go", "tool", "templ", "generate", "-path", "views", "-log-level", "error")
	}
	if bytes.Contains(patch, []byte("\n+++ b/static/css/")) {
		inCopy(t, dir, nil, "npm", "run", "--silent", "css")
	}
}

// inCopy runs a program in the copy of the sources.
func inCopy(t *testing.T, dir string, input []byte, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// copySources copies the repository's files, untracked ones included, and links node_modules.
func copySources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
		"--exclude-standard")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			continue // a symbolic link or a deleted file
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Abs("../../node_modules")
	if err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func runTests(t *testing.T, dir, pkg, tests string) (out string, failed bool) {
	t.Helper()
	run := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout", "15m", "-run", "^("+tests+")$", pkg)
	run.Dir = dir
	text, err := run.CombinedOutput()
	return string(text), err != nil
}
