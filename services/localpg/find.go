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

// oldest is the first major version with everything that the product and its tests use.
const oldest = 15

// binaries is a directory with a PostgreSQL that runs here.
type binaries struct {
	dir   string
	major int
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }

// sources says where binaries may come from.
type sources struct {
	binDir string   // the operator's choice; nothing else counts then
	places []string // patterns, best first
	caches []string // where a downloaded package may lie, best first
	fetch  fetcher
}

// systemCache takes the downloaded package where the user's own cache is closed to the account.
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
		fetch: fetcher{base: o.PackageBase, pack: packs[runtime.GOOS+"/"+runtime.GOARCH], progress: o.Progress},
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

// locate returns the best binaries for the account, downloading them when there
// are none. A cluster can only be served by the major version that made it: want
// is that version, or 0 for a cluster still to be made.
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
		return binaries{}, fmt.Errorf("look for PostgreSQL: %w", context.Cause(ctx)) // they were refused for that
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

// verify fails for a directory of a downloaded package that has changed since, and says so: it is downloaded anew unless
// there is another PostgreSQL.
func (s sources) verify(dir string) error {
	if !slices.Contains(s.cached(), dir) {
		return nil
	}
	err := s.fetch.pack.verify(filepath.Dir(filepath.Dir(dir)))
	if err != nil && s.fetch.progress != nil {
		_, _ = fmt.Fprintf(s.fetch.progress, "The PostgreSQL in %s is not run: it has changed since it was downloaded.\n", dir)
	}
	return err
}

// explain says what the operator can do on a machine without a PostgreSQL, in one line.
func (s sources) explain(want int, causes []error) error {
	needed, debian := fmt.Sprintf("PostgreSQL %d or newer", oldest), "postgresql"
	if want != 0 {
		needed, debian = fmt.Sprintf("PostgreSQL %d, which made the data here,", want), fmt.Sprintf("postgresql-%d", want)
	}
	var texts []string
	for _, cause := range causes {
		texts = append(texts, cause.Error())
	}
	return fmt.Errorf("%s was neither found nor downloaded (%s): install it (on Debian: apt-get install %s), "+
		"set POSTGRES_BIN_DIR to its programs, or set DATABASE_URL", needed, strings.Join(texts, "; "), debian)
}

// candidates lists the directories that hold a postgres, best first: by place,
// and within one place the newest version.
func (s sources) candidates() []string {
	var dirs []string
	for _, place := range append(slices.Clone(s.places), s.cached()...) {
		found, err := filepath.Glob(filepath.Join(place, "postgres"))
		if err != nil {
			continue // a name that is no pattern names no place of ours
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

// versionIn is the version that the last number of a path names, so that 15 comes before 9.6.
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

// probe says whether the directory's PostgreSQL really runs here, for the
// account: built for this machine, within reach, and with all of its libraries.
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
		return b, fmt.Errorf("%s: does not tell its version", dir)
	}
	if b.major, err = strconv.Atoi(m[1]); err != nil {
		return b, fmt.Errorf("%s: read its version: %w", dir, err)
	}
	if b.major < oldest || want != 0 && b.major != want {
		return b, fmt.Errorf("%s: is PostgreSQL %d", dir, b.major)
	}
	return b, nil
}
