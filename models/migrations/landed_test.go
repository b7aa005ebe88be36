package migrations_test

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/migrations"
)

//go:embed testdata/landed.sha256
var landed string

// Databases have applied every landed migration as it was, so a change to its file reaches none of them.
func TestLandedMigrationsAreNeverEdited(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for line := range strings.Lines(landed) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		want[name] = sum
	}
	for _, name := range files(t) {
		sum := sha256.Sum256([]byte(read(t, name)))
		switch got := hex.EncodeToString(sum[:]); want[name] {
		case got:
		case "":
			t.Errorf("%s is new: add its SHA-256 at the end of testdata/landed.sha256 (sha256sum %s)", name, name)
		default:
			t.Errorf("SHA-256 of %s = %s, want %s: a landed migration is never edited; restore it, and write a new one",
				name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing: a landed migration is never removed; restore it", name)
	}
	order := regexp.MustCompile(`(?m)\S+$`).FindAllString(landed, -1)
	if !slices.IsSorted(order) {
		t.Errorf("landed in the order %v, want rising numbers: databases refuse a lower number later", order)
	}
}

func files(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d migrations (%v), want some", len(names), err)
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := migrations.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
