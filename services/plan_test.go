package services_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/resume-matcher/credits"

// The plan of the packages in static/docs/development.md lists each once, and each imports only those of lower rows.
func TestReadmeShowsThePackages(t *testing.T) {
	t.Parallel()
	row := plan(t)
	out, err := exec.Command("go", "list", "-json=ImportPath,GoFiles,Imports", "../...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string]bool{}
	for packages := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath       string
			GoFiles, Imports []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := within(p.ImportPath)
		// tests, and a file to copy
		if len(p.GoFiles) == 0 || strings.HasPrefix(name, "static/examples/") || name == "handlers/e2e" {
			continue
		}
		found[name] = true
		if row[name] == 0 {
			t.Errorf("the plan does not list %s", name)
		}
		for _, imported := range p.Imports {
			if lower := within(imported); lower != "" && row[lower] >= row[name] {
				t.Errorf("%s (row %d) imports %s (row %d)", name, row[name], lower, row[lower])
			}
		}
	}
	for name := range row {
		if !found[name] {
			t.Errorf("the plan lists %s, which is not there", name)
		}
	}
}

// within is a package's path in the module: main for its root, and nothing for another module's.
func within(path string) string {
	if path == module {
		return "main"
	}
	name, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return ""
	}
	return name
}

var (
	planRow     = regexp.MustCompile(`^\| (\d) \| (.*) \|$`)
	planPackage = regexp.MustCompile("(?:^| · )`([a-z0-9/]+)` ")
)

// plan reads the row of each package from static/docs/development.md.
func plan(t *testing.T) map[string]int {
	t.Helper()
	readme, err := os.Open("../static/docs/development.md")
	if err != nil {
		t.Fatal(err)
	}
	defer readme.Close()
	rows := map[string]int{}
	for lines := bufio.NewScanner(readme); lines.Scan(); {
		line := planRow.FindStringSubmatch(lines.Text())
		if line == nil {
			continue
		}
		for _, name := range planPackage.FindAllStringSubmatch(line[2], -1) {
			if rows[name[1]] != 0 {
				t.Errorf("the plan lists %s twice", name[1])
			}
			rows[name[1]] = int(line[1][0] - '0')
		}
	}
	if len(rows) < 30 {
		t.Fatalf("the plan lists %d packages: its form has changed", len(rows))
	}
	return rows
}
