package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each patch in testdata/mistakes is a mistake that makes money wrong or a page unusable. Its header names the package
// and the tests that must fail with it. TestMistakesAreFound applies one patch after another to a copy of the sources;
// each takes a build, so only make bite and make test-full run it.
func TestMistakesAreFound(t *testing.T) {
	if os.Getenv("PLANT_MISTAKES") == "" {
		t.Skip("make bite runs this test")
	}
	patches, err := filepath.Glob("testdata/mistakes/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no patches in testdata/mistakes (%v)", err)
	}
	dir := copySources(t)
	passing := map[string]bool{} // packages with tests that pass without a mistake
	for _, file := range patches {
		t.Run(strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".patch"), "-", " "), func(t *testing.T) {
			patch, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pkg, tests := header(t, patch, "Package"), header(t, patch, "Tests")
			if !passing[pkg+tests] {
				if out, failed := runTests(t, dir, pkg, tests); failed {
					t.Fatalf("%s in %s fail without the mistake:\n%s", tests, pkg, out)
				}
				passing[pkg+tests] = true
			}
			apply(t, dir, patch)
			defer apply(t, dir, patch, "--reverse")
			switch out, failed := runTests(t, dir, pkg, tests); {
			case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
				t.Errorf("the mistake does not compile:\n%s", out)
			case !failed:
				t.Errorf("%s in %s pass with the mistake, want a failure", tests, pkg)
			}
		})
	}
}

// header returns a header's value.
func header(t *testing.T, patch []byte, name string) string {
	t.Helper()
	for line := range bytes.Lines(patch) {
		if value, ok := bytes.CutPrefix(line, []byte(name+": ")); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	t.Fatalf("the patch has no header %q", name+":")
	return ""
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
