package locales

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var operatorKey = regexp.MustCompile(`"((?:doctor|command)\.[a-z_.]+)"`)

// TestOperatorsTexts wants a text for each key in services/doctor and services/command, and a key for each of their
// texts.
func TestOperatorsTexts(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("../services/[dc]o[cm]*/*.go") // doctor, command
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, name := range sources {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range operatorKey.FindAllStringSubmatch(string(source), -1) {
			used[match[1]] = true
		}
	}
	if len(used) < 50 {
		t.Errorf("found %d keys only: the search is broken", len(used))
	}
	for _, code := range codes {
		texts := flat(t, code)
		for key := range used {
			if texts[key] == "" {
				t.Errorf("%s has no text for %s", code, key)
			}
		}
		for key := range texts {
			if (strings.HasPrefix(key, "doctor.") || strings.HasPrefix(key, "command.")) && !used[key] {
				t.Errorf("%s has a text for %s, which no source uses", code, key)
			}
		}
	}
}
