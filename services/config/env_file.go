package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Assignment is one setting of a file such as .env.
type Assignment struct{ Name, Value string }

// plainValue is a value that needs no quotes.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./=-]*$`)

// line writes the assignment as Environment reads it.
func (a Assignment) line() string {
	switch {
	case plainValue.MatchString(a.Value):
		return a.Name + "=" + a.Value
	case !strings.Contains(a.Value, "'"):
		return a.Name + "='" + a.Value + "'"
	}
	return a.Name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace(a.Value) + `"`
}

// WriteFile sets the settings in a file and keeps its other lines. Only the owner can read the file. It is replaced in
// one step, so that a crash leaves it as it was.
func WriteFile(path string, set []Assignment) error {
	old, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	lines := strings.Split(strings.TrimRight(string(old), "\n"), "\n")
	if len(old) == 0 {
		lines = nil
	}
	for _, a := range set {
		mine := func(line string) bool {
			name, _, assigns := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
			return assigns && strings.TrimSpace(name) == a.Name
		}
		if i := slices.IndexFunc(lines, mine); i >= 0 {
			lines[i] = a.line()
			rest := slices.DeleteFunc(slices.Clone(lines[i+1:]), mine) // the last of several would count
			lines = append(lines[:i+1], rest...)
		} else {
			lines = append(lines, a.line())
		}
	}
	return replaceFile(path, strings.Join(lines, "\n")+"\n")
}

func replaceFile(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".env-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // absent after the rename
	_, err = io.WriteString(file, text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
