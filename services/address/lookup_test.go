package address_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Queries compare addresses as stored. SQL's own case folding folds more than Parse does and could match another user,
// so every look-up by address goes through user.ByAddress.
func TestNoQueryFoldsAnAddress(t *testing.T) {
	t.Parallel()
	folding := regexp.MustCompile(`(?i)\b(lower|upper)\s*\(\s*(\w+\.)?email|email\s+(NOT\s+)?I?LIKE\b[^%]`)
	searches := []string{"services/admin/search.go", "services/admin/users.go"} // for parts of a text, listed for a person
	source := os.DirFS(filepath.Join("..", ".."))
	for _, directory := range []string{"handlers", "models", "services"} {
		err := fs.WalkDir(source, directory, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := fs.ReadFile(source, path)
			if found := folding.Find(text); found != nil && !slices.Contains(searches, path) {
				t.Errorf("%s compares addresses with %q", path, found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
