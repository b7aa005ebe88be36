package locales

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models"
)

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, german := range map[string]string{
		"a number":                "a: 1",
		"a truth value":           "a: true",
		"nothing":                 "a:",
		"an empty text":           `a: ""`,
		"a list":                  "a: [x]",
		"a key that occurs twice": "a: x\na: y",
		"a key with a dot":        "a.b: x",
		"a list of texts":         "- x",
		"an empty file":           "",
		"broken YAML":             "a: [",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := load(fstest.MapFS{"en.yaml": {Data: []byte("a: x")}, "de.yaml": {Data: []byte(german)}}); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := load(fstest.MapFS{"en.yaml": {Data: []byte("a: x")}}); err == nil {
		t.Error("no error for a missing language")
	}
}

func TestTextsKeepTheirCharacters(t *testing.T) {
	t.Parallel()
	text := `a: "Größer & \"schöner\" <als> \\ je"`
	c, err := load(fstest.MapFS{"en.yaml": {Data: []byte(text)}, "de.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := c.Context(context.Background(), "de")
	if got, want := T(ctx, "a", nil), `Größer & "schöner" <als> \ je`; got != want {
		t.Errorf("T = %q, want %q", got, want)
	}
}

func TestContextIsExact(t *testing.T) {
	t.Parallel()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]bool{"de": true, "en": true, "fr": false, "DE": false, "de-DE": false, "": false} {
		if _, ok := c.Context(context.Background(), code); ok != want {
			t.Errorf("Context(%q) = %v, want %v", code, ok, want)
		}
	}
	if diff := cmp.Diff(models.Locales, c.Codes()); diff != "" {
		t.Errorf("languages of the models and the texts (-models +texts):\n%s", diff)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"":                        "en",
		"de":                      "de",
		"de-DE,de;q=0.9,en;q=0.8": "de",
		"de-AT":                   "de",
		"en;q=0.1,de;q=0.9":       "de",
		"fr-FR,fr;q=0.9":          "en",
		"fr,de;q=0.5":             "de",
		"en-GB":                   "en",
		"*":                       "en",
		"!!! nonsense":            "en",
	} {
		if got := c.Match(header); got != want {
			t.Errorf("Match(%q) = %q, want %q", header, got, want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"de-AT,de;q=0.9", "fr;q=0", "*", "de_DE.UTF-8@euro", "x-de", "-", ",;q="} {
		f.Add(seed)
	}
	c, err := Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, got := range []string{c.Match(header), c.Terminal(header)} {
			if !slices.Contains(c.Codes(), got) {
				t.Errorf("%q: got the language %q, want one of %q", header, got, c.Codes())
			}
		}
	})
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for locale, want := range map[string]string{"": "en", "C": "en", "C.UTF-8": "en", "POSIX": "en", "de": "de",
		"de_DE.UTF-8": "de", "de_AT@euro": "de",
		"en_GB.UTF-8": "en", "fr_FR.UTF-8": "en"} {
		if got := c.Terminal(locale); got != want {
			t.Errorf("Terminal(%q) = %q, want %q", locale, got, want)
		}
	}
}

func TestT(t *testing.T) {
	t.Parallel()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := c.Context(context.Background(), "de")
	got := T(ctx, "errors.insufficient_credits", map[string]any{"required": int64(1200), "available": int64(-5),
		"missing": 1205})
	if want := "Nicht genug Credits. Benötigt: 1.200, verfügbar: −5, es fehlen: 1.205."; got != want {
		t.Errorf("T = %q, want %q", got, want)
	}
	typed := "%{note}%{credits}%{"
	if got, want := T(ctx, "entry.note", Args{"note": typed}), T(ctx, "entry.note", Args{"note": "x"}); got !=
		strings.Replace(want, "x", typed, 1) {
		t.Errorf("what a person typed is %q in the text, want it as it is", got)
	}
	if got := T(ctx, "errors.insufficient_credits", Args{"required": 1}); !strings.Contains(got, "%{available}") {
		t.Errorf("T = %q, want the placeholder without an argument kept", got)
	}
	if got := Code(context.Background()); got != "en" {
		t.Errorf("Code without a language = %q, want the default", got)
	}
}
