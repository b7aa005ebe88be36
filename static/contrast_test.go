package static

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Text, borders and marks have the contrast that WCAG 2.2 requires at level AA. The page has one color scheme; a second
// one fails the test until it is measured.
// Source: https://www.w3.org/TR/WCAG22/#contrast-minimum and #non-text-contrast
func TestContrast(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../tailwind.config.js")
	if err != nil {
		t.Fatal(err)
	}
	css, err := os.ReadFile("css/app.css")
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`prefers-color-scheme:\s*dark`).Match(css) {
		t.Error("the stylesheet has a dark scheme that this test does not measure")
	}
	const text, mark = 4.5, 3.0
	surfaces := []string{"canvas", "white", "paper", "panel", "panel-hover", "tint-info", "tint-success", "tint-warning",
		"tint-destructive"}
	for _, c := range []struct {
		front string
		least float64
		backs []string
	}{
		{"ink", text, append(surfaces, "warning")},
		{"ink-soft", text, surfaces},
		{"steel", text, []string{"canvas", "white", "paper"}},
		{"primary", text, []string{"canvas", "white", "paper", "panel", "tint-info", "tint-success", "tint-warning",
			"tint-destructive"}},
		{"primary-hover", text, surfaces},
		{"white", text, []string{"ink", "primary", "primary-hover", "destructive", "destructive-hover"}},
		{"success", text, []string{"canvas", "white", "paper", "tint-success"}},
		{"destructive", text, []string{"canvas", "white", "paper", "tint-destructive"}},
		{"warning-text", text, []string{"canvas", "white", "paper", "tint-warning"}},
		{"primary", mark, []string{"panel", "panel-hover"}}, // the focus ring
		{"success", mark, []string{"panel"}},                // the square of a state
		{"destructive", mark, []string{"panel", "panel-hover"}},
		{"warning-text", mark, []string{"panel"}},
	} {
		for _, back := range c.backs {
			if got := contrast(token(t, string(raw), c.front), token(t, string(raw), back)); got < c.least {
				t.Errorf("%s on %s: contrast %.2f, want at least %.1f", c.front, back, got, c.least)
			}
		}
	}
}

// token returns the luminance of the color with this name.
func token(t *testing.T, config, name string) float64 {
	t.Helper()
	pattern := `(?m)^\s*` + name + `: (?:\{ DEFAULT: )?"([^"]+)"`
	if family, shade, ok := cut(name); ok {
		pattern = `(?m)^\s*` + family + `: \{.*\b` + shade + `: "([^"]+)"`
	}
	found := regexp.MustCompile(pattern).FindStringSubmatch(config)
	if found == nil {
		t.Fatalf("color %s is missing in tailwind.config.js", name)
	}
	return luminance(t, found[1])
}

func cut(name string) (family, shade string, ok bool) {
	m := regexp.MustCompile(`^(\w+)-(\w+)$`).FindStringSubmatch(name)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// luminance returns a color's relative luminance, from 0 to 1.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	value, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil || len(colour) != 7 {
		t.Fatalf("%q is not a color", colour)
	}
	linear := func(shift uint) float64 {
		c := float64(value>>shift&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
