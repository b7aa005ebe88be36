//go:build unix

package localpg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeBinaries creates a directory whose postgres prints that version and does nothing else.
func fakeBinaries(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"postgres": fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s (Debian %s-1)'\n", version, version),
		"initdb":   "#!/bin/sh\nexit 1\n",
	} {
		writeProgram(t, filepath.Join(dir, name), []byte(script))
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	base := openDir(t)
	for dir, version := range map[string]string{
		"debian/9.6/bin": "9.6.24", "debian/15/bin": "15.18", "debian/17/bin": "17.9", "debian/18/bin": "18beta1",
		"old/14/bin": "14.2", "brew/postgresql@16/bin": "16.4",
	} {
		fakeBinaries(t, filepath.Join(base, dir), version)
	}
	broken := filepath.Join(base, "broken")
	fakeBinaries(t, broken, "17.0")
	writeProgram(t, filepath.Join(broken, "postgres"), []byte("#!/bin/sh\necho 'cannot open library' >&2; exit 127\n"))
	debian, brew := filepath.Join(base, "debian/*/bin"), filepath.Join(base, "brew/postgresql@*/bin")

	for name, test := range map[string]struct {
		from  sources
		major int
		want  string // below base; "" is an error
	}{
		"the newest of a place":                {sources{places: []string{debian, brew}}, 0, "debian/18/bin"},
		"the better place before the newer":    {sources{places: []string{brew, debian}}, 0, "brew/postgresql@16/bin"},
		"the version that made the data":       {sources{places: []string{debian, brew}}, 15, "debian/15/bin"},
		"a later place for the data's version": {sources{places: []string{debian, brew}}, 16, "brew/postgresql@16/bin"},
		"past one that does not run":           {sources{places: []string{broken, brew}}, 0, "brew/postgresql@16/bin"},
		"the operator's choice before all": {sources{binDir: filepath.Join(base, "debian/15/bin"),
			places: []string{debian}}, 0, "debian/15/bin"},
		"no other than the operator's choice":      {sources{binDir: broken, places: []string{debian}}, 0, ""},
		"none that is too old":                     {sources{places: []string{filepath.Join(base, "old/*/bin")}}, 0, ""},
		"none when the data's version is not here": {sources{places: []string{debian}}, 16, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := test.from.locate(t.Context(), currentAccount(), test.major)
			if test.want == "" {
				if err == nil {
					t.Fatalf("locate: got %s, want an error", b.dir)
				}
				if !strings.Contains(err.Error(), "POSTGRES_BIN_DIR") {
					t.Errorf("error does not say what to set: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(base, test.want); b.dir != want {
				t.Errorf("locate: got %s, want %s", b.dir, want)
			}
		})
	}
}

func TestEveryPlatformOfThePackageIsPinned(t *testing.T) {
	t.Parallel()
	for platform, p := range packs {
		if want := packageBase + "/" + p.name + "/-/" + strings.TrimPrefix(p.name, "@embedded-postgres/") + "-" +
			packageVersion + ".tgz"; p.url(packageBase) != want {
			t.Errorf("%s: url: got %s, want %s", platform, p.url(packageBase), want)
		}
		const base64OfSHA512 = 88
		if len(p.sha512) != base64OfSHA512 {
			t.Errorf("%s: hash has %d characters, want %d", platform, len(p.sha512), base64OfSHA512)
		}
		const hexOfSHA256 = 64
		if len(p.files) != hexOfSHA256 {
			t.Errorf("%s: checksum has %d characters, want %d", platform, len(p.files), hexOfSHA256)
		}
	}
	if len(packs) != 4 {
		t.Errorf("got %d platforms, want 4", len(packs))
	}
}
