package static

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// drift lists what the design rules out, in class names and in the stylesheet.
// Source: Resume Matcher's own drift guard.
var drift = map[string]*regexp.Regexp{
	"a rounded corner":             regexp.MustCompile(`\brounded(-(?:[trblse]{1,2}-)?(?:xs|sm|md|lg|xl|[2-4]xl|full))?\b|border-radius: [^0]`),
	"a gradient class":             regexp.MustCompile(`\bbg-(?:gradient|linear|radial|conic)\b`),
	"a soft shadow":                regexp.MustCompile(`\b(?:shadow|drop-shadow|text-shadow)-(?:2?xs|sm|md|lg|xl|2xl|inner)\b|\bblur\b`),
	"a stripe at one side":         regexp.MustCompile(`\bborder-[lrse]-(?:[2-9]|1\d)\b|border-left: [^01n]`),
	"a raw color":                  regexp.MustCompile(`\[#|: #[0-9A-Fa-f]{3,8}\b|\b(?:fill|stroke)="#`),
	"a color that is not a token":  regexp.MustCompile(`\b(?:text|bg|border)-(?:body|danger|danger-text|gray|slate|zinc|neutral|red|green|blue|orange)\b`),
	"a space off the scale":        regexp.MustCompile(`\b(?:p[xytrbl]?|gap(?:-[xy])?)-(?:5|7|9|10|11|14|\d+\.5)\b`),
	"text under 12 px":             regexp.MustCompile(`\btext-\[[0-9.]|font-size: (?:0?\.[0-6]\d*r?em|\d(?:\.\d+)?px|1[01](?:\.\d+)?px)`),
	"a dark scheme":                regexp.MustCompile(`[ "]dark:|prefers-color-scheme`),
	"a font that is not the house": regexp.MustCompile(`\bInter\b|\bfont-mono\b[^"]*\buppercase\b`),
}

// Templates and the stylesheet keep to the design: square, flat, on the 4 px scale, in the tokens' colors.
func TestDesignDoesNotDrift(t *testing.T) {
	t.Parallel()
	files := map[string]string{"css/input.css": read(t, "css/input.css")}
	err := fs.WalkDir(os.DirFS("../views"), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Ext(name) == ".templ" {
			files["../views/"+name] = read(t, "../views/"+name)
		}
		return err
	})
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files (%v), want all templates", len(files), err)
	}
	for name, text := range files {
		for i, line := range strings.Split(text, "\n") {
			for what, pattern := range drift {
				if found := pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %s: %q", name, i+1, what, strings.TrimSpace(found))
				}
			}
		}
	}
}

// Each pattern finds what it is for.
func TestDriftIsFound(t *testing.T) {
	t.Parallel()
	for what, example := range map[string]string{
		"a rounded corner":             `class="rounded-lg"`,
		"a gradient class":             `class="bg-linear-to-r"`,
		"a soft shadow":                `class="shadow-md"`,
		"a stripe at one side":         `@apply border-l-8`,
		"a raw color":                  `color: #1d4ed8;`,
		"a color that is not a token":  `class="text-gray"`,
		"a space off the scale":        `class="mt-4 p-5"`,
		"text under 12 px":             `font-size: 0.65rem`,
		"a dark scheme":                `class="dark:bg-ink"`,
		"a font that is not the house": `class="font-mono text-xs uppercase"`,
	} {
		if !drift[what].MatchString(example) {
			t.Errorf("%s: %q is not found", what, example)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
