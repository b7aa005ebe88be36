//go:build unix

package localpg

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestExclusiveStartRefusesADirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	owner := startServer(t, Options{Dir: dir})
	s, err := Start(t.Context(), Options{Dir: dir, Exclusive: true})
	if err == nil {
		_ = s.Stop()
	}
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "DATA_DIR") || !strings.Contains(err.Error(), dir) {
		t.Errorf("exclusive Start: got %v, want ErrInUse with the directory and the setting", err)
	}
	wantQuery(t, owner.URL(), `SELECT 'alive'`, "alive")
	if err := owner.Stop(); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	after := startServer(t, Options{Dir: dir, Exclusive: true})
	wantQuery(t, after.URL(), `SELECT current_database()`, "app")
}

// brokenPostgres makes binaries of which program prints text and fails; the other programs are this machine's.
func brokenPostgres(t *testing.T, program, text string) sources {
	t.Helper()
	real, err := newSources(Options{}).locate(t.Context(), currentOrServant(), 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := openDir(t)
	for _, name := range []string{"postgres", "initdb"} {
		script := "#!/bin/sh\nexec '" + real.program(name) + "' \"$@\"\n"
		if name == program {
			script = "#!/bin/sh\ncase $* in *--version*) exec '" + real.program(name) + "' --version;; esac\nprintf '" + text +
				"' >&2\nexit 1\n"
		}
		writeProgram(t, filepath.Join(dir, name), []byte(script))
	}
	return sources{binDir: dir}
}

func TestStartSaysInOneLineWhyItFailed(t *testing.T) {
	t.Parallel()
	full :=
		`FATAL: could not write to file "pg_wal/xlogtemp.1": No space left on device\nchild process exited with exit code 1\n`
	for name, test := range map[string]struct {
		program, text string
		is            error
		want          string
	}{
		"a full disk while the cluster is made":   {"initdb", full, syscall.ENOSPC, "no space left on device"},
		"a full disk while the server starts":     {"postgres", full, syscall.ENOSPC, "no space left on device"},
		"another reason, with what the tool says": {"initdb", `initdb: error: one\ntwo\n`, nil, "initdb: error: one; two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			s, err := startFrom(t.Context(), Options{Dir: dir, Log: slog.New(slog.DiscardHandler)},
				brokenPostgres(t, test.program, test.text))
			if err == nil {
				_ = s.Stop()
				t.Fatal("Start = nil, want an error")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Start: got %v, want %v in its chain", err, test.is)
			}
			if text := err.Error(); !strings.Contains(text, test.want) || strings.Contains(text, "\n") {
				t.Errorf("Start: got %q, want one line with %q", text, test.want)
			}
			// Whatever a failed start left, the next one works.
			wantQuery(t, startServer(t, Options{Dir: dir}).URL(), `SELECT current_database()`, "app")
		})
	}
}

func TestMissingPostgreSQLNamesWhatToInstall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		made int // the version of the data, 0 for none
		want string
	}{
		"any version":        {0, "apt-get install postgresql)"},
		"the data's version": {16, "apt-get install postgresql-16)"},
	} {
		from := sources{
			caches: []string{filepath.Join(openDir(t), "cache")},
			fetch:  fetcher{base: "http://127.0.0.1:1", pack: packs["linux/amd64"]}, // nothing listens there
		}
		_, err := from.locate(t.Context(), currentAccount(), test.made)
		if err == nil {
			t.Fatalf("%s: locate = nil, want an error", name)
		}
		for _, want := range []string{test.want, "POSTGRES_BIN_DIR", "DATABASE_URL"} {
			if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "\n") {
				t.Errorf("%s: locate: got %q, want one line with %q", name, text, want)
			}
		}
	}
}
