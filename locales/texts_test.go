package locales

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flat returns a language's texts by full key.
func flat(t *testing.T, code string) map[string]string {
	t.Helper()
	texts, err := read(files, code)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func(prefix string, branch map[string]any)
	walk = func(prefix string, branch map[string]any) {
		for key, value := range branch {
			if text, ok := value.(string); ok {
				all[prefix+key] = text
			} else {
				walk(prefix+key+".", value.(map[string]any))
			}
		}
	}
	walk("", texts)
	return all
}

var placeholder = regexp.MustCompile(`%\{[^}]*\}`)

func placeholders(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	en := flat(t, "en")
	for _, code := range codes[1:] {
		other := flat(t, code)
		for key := range other {
			if _, ok := en[key]; !ok {
				t.Errorf("%s has %s, en has not", code, key)
			}
		}
		for key, text := range en {
			translated, ok := other[key]
			if !ok {
				t.Errorf("%s lacks %s", code, key)
				continue
			}
			if diff := cmp.Diff(placeholders(text), placeholders(translated)); diff != "" && !lastPart(key, "zero", "one") {
				t.Errorf("%s: %s has other placeholders (-en +%s):\n%s", key, code, code, diff)
			}
		}
	}
}

func TestTextsAreWhole(t *testing.T) {
	t.Parallel()
	for _, code := range codes {
		texts := flat(t, code)
		for key, text := range texts {
			if strings.TrimSpace(text) != text || strings.Contains(text, "\n") || strings.Contains(text, "!(") ||
				strings.Contains(text, "&") {
				t.Errorf("%s: %s has stray spaces, lines or escapes: %q", code, key, text)
			}
			if base, ok := strings.CutSuffix(key, ".other"); ok && (texts[base+".zero"] == "" || texts[base+".one"] == "") {
				t.Errorf("%s: %s lacks a plural form", code, base)
			}
		}
	}
}

func lastPart(key string, parts ...string) bool {
	return slices.Contains(parts, key[strings.LastIndex(key, ".")+1:])
}

var (
	singularKey = regexp.MustCompile(`\bT\((?:ctx|c\.UserContext\(\)), "([a-z0-9_.]+[a-z0-9_])"[,)]`)
	pluralKey   = regexp.MustCompile(`\bN\((?:ctx|c\.UserContext\(\)), "([a-z0-9_.]+[a-z0-9_])",`)
)

// TestEveryUsedKeyExists reads the sources of the views and handlers.
func TestEveryUsedKeyExists(t *testing.T) {
	t.Parallel()
	texts, used := flat(t, "en"), 0
	for _, folder := range []string{"../views", "../handlers"} {
		err := filepath.WalkDir(folder, func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(name, "_templ.go") ||
				(!strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".templ")) {
				return err
			}
			source, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, match := range singularKey.FindAllStringSubmatch(string(source), -1) {
				used++
				if texts[match[1]] == "" {
					t.Errorf("%s uses %q, which has no text", name, match[1])
				}
			}
			for _, match := range pluralKey.FindAllStringSubmatch(string(source), -1) {
				used++
				if texts[match[1]+".other"] == "" {
					t.Errorf("%s counts with %q, which has no plural forms", name, match[1])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if used < 100 {
		t.Errorf("found %d uses of texts only: the search is broken", used)
	}
}

// literal matches a literal that may be a key or, with what follows it, the beginning of one.
var literal = regexp.MustCompile(`"([a-z0-9_.]+)(%|" ?\+)?`)

// Every text is used: its key, or a beginning that the rest is appended to, is a literal of the product.
func TestEveryTextIsUsed(t *testing.T) {
	t.Parallel()
	used, begins := map[string]bool{}, []string{}
	for _, folder := range []string{"../handlers", "../models", "../services", "../views"} {
		err := filepath.WalkDir(folder, func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") ||
				(!strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".templ")) {
				return err
			}
			source, err := os.ReadFile(name)
			for _, match := range literal.FindAllStringSubmatch(string(source), -1) {
				if used[match[1]] = true; strings.HasSuffix(match[1], ".") || match[2] != "" && strings.Contains(match[1], ".") {
					begins = append(begins, match[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key := range flat(t, "en") {
		plural := key[:max(strings.LastIndex(key, "."), 0)]
		begun := slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(key, b) })
		if !used[key] && !used[plural] && !begun {
			t.Errorf("nothing uses the text %s", key)
		}
	}
}
