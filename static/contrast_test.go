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
	for _, c := range []struct {
		front string
		least float64
		backs []string
	}{
		{"ink", text, []string{"canvas", "white", "panel", "panel-active", "warning"}},
		{"body", text, []string{"canvas", "white", "panel", "panel-active"}},
		{"primary", text, []string{"canvas", "white", "panel"}},
		{"primary-hover", text, []string{"canvas", "white", "panel"}},
		{"white", text, []string{"primary", "primary-hover"}},
		{"success", text, []string{"white"}},
		{"warning-text", text, []string{"white", "canvas"}},
		{"danger-text", text, []string{"white", "canvas", "panel"}},
		{"danger", mark, []string{"white", "canvas", "panel"}},
		{"primary", mark, []string{"panel-active"}}, // the focus ring
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
	if m := regexp.MustCompile(`^oklch\((\d+)% ([.\d]+) (\d+)\)$`).FindStringSubmatch(colour); m != nil {
		return oklch(number(t, m[1])/100, number(t, m[2]), number(t, m[3]))
	}
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

// oklch returns the luminance of a color given by lightness, chroma and hue in degrees.
// Source: https://bottosson.github.io/posts/oklab/
func oklch(lightness, chroma, hue float64) float64 {
	a, b := chroma*math.Cos(hue*math.Pi/180), chroma*math.Sin(hue*math.Pi/180)
	l := cube(lightness + 0.3963377774*a + 0.2158037573*b)
	m := cube(lightness - 0.1055613458*a - 0.0638541728*b)
	s := cube(lightness - 0.0894841775*a - 1.2914855480*b)
	red := 4.0767416621*l - 3.3077115913*m + 0.2309699292*s
	green := -1.2684380046*l + 2.6097574011*m - 0.3413193965*s
	blue := -0.0041960863*l - 0.7034186147*m + 1.7076147010*s
	return 0.2126*red + 0.7152*green + 0.0722*blue
}

func cube(x float64) float64 { return x * x * x }

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
