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
	case !strings.ContainsAny(a.Value, "'\r\n"):
		return a.Name + "='" + a.Value + "'"
	}
	return a.Name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`).Replace(a.Value) + `"`
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
	lines = joinQuoted(lines)
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

// opensQuote matches the first line of an assignment whose value begins with a quote.
var opensQuote = regexp.MustCompile(`^\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=\s*(['"])(.*)$`)

// joinQuoted joins the lines of each quoted value, so that every element is a whole assignment.
func joinQuoted(lines []string) (joined []string) {
	for len(lines) > 0 {
		n := quotedLines(lines)
		joined = append(joined, strings.Join(lines[:n], "\n"))
		lines = lines[n:]
	}
	return joined
}

// quotedLines returns how many lines the first assignment takes: one, unless its quote is closed on a later line.
func quotedLines(lines []string) int {
	opened := opensQuote.FindStringSubmatch(lines[0])
	if opened == nil || closes(opened[2], opened[1][0]) {
		return 1
	}
	for i, line := range lines[1:] {
		if closes(line, opened[1][0]) {
			return i + 2
		}
	}
	return 1
}

// closes reports whether a text has the quote without a backslash before it.
func closes(text string, quote byte) bool {
	for i := range len(text) {
		if text[i] == quote && (i == 0 || text[i-1] != '\\') {
			return true
		}
	}
	return false
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
