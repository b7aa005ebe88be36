package locales

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var doctorKey = regexp.MustCompile(`"(doctor\.[a-z_.]+)"`)

// TestDoctorSpeaks wants a text for each key that services/doctor can answer with, and no text that it has no use for.
func TestDoctorSpeaks(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("../services/doctor/*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, name := range sources {
		source, err := os.ReadFile(name) //nolint:gosec // our own sources
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range doctorKey.FindAllStringSubmatch(string(source), -1) {
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
			if strings.HasPrefix(key, "doctor.") && !used[key] {
				t.Errorf("%s has a text for %s, which nobody uses", code, key)
			}
		}
	}
}
