package legal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/legal"
)

var seller = legal.Seller{Name: "Muster & Söhne <GmbH>", Address: "Musterweg 1, 12345 Musterstadt",
	Email: "help_me@example.com", AppURL: "https://credits.example.com"}

// The statutory texts name the seller to the letter, in both languages, and need all of their details.
func TestStatutoryTexts(t *testing.T) {
	t.Parallel()
	library, err := legal.Load("", seller)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []legal.Kind{legal.Withdrawal, legal.Form} {
		for _, locale := range models.Locales {
			d, ok := library.Document(kind, locale)
			if !ok || d.Locale != locale {
				t.Fatalf("%s in %s: %t, %q; want it", kind, locale, ok, d.Locale)
			}
			for _, want := range []string{"Muster &amp; Söhne &lt;GmbH&gt;<br", "Musterweg 1<br", "12345 Musterstadt<br",
				"help_me@example.com"} {
				if !strings.Contains(d.HTML, want) {
					t.Errorf("%s in %s lacks %q:\n%s", kind, locale, want, d.HTML)
				}
			}
			if kind == legal.Withdrawal && !strings.Contains(d.HTML, `href="https://credits.example.com/`+locale+`/withdrawal"`) {
				t.Errorf("the instruction in %s leads to no form:\n%s", locale, d.HTML)
			}
		}
	}
	for _, incomplete := range []legal.Seller{{}, {Name: "Muster"}, {Name: "Muster", Address: "Weg 1"}} {
		library, err := legal.Load("", incomplete)
		if _, ok := library.Document(legal.Withdrawal, "de"); ok || err != nil {
			t.Errorf("the seller %+v has an instruction (%v), want none", incomplete, err)
		}
	}
}

// The operator's texts come from files. One that is missing in a language is shown in the other.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "terms.de.md", "# AGB\n\n<script>alert(1)</script>\n\n[hier](javascript:alert(1))\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
	write(t, dir, "withdrawal.de.md", "Eigene Belehrung")
	library, err := legal.Load(dir, seller)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := library.Document(legal.Terms, "en")
	if !ok || d.Locale != "de" || strings.Contains(d.HTML, "<script") || strings.Contains(d.HTML, "javascript:") ||
		!strings.Contains(d.HTML, "<table>") {
		t.Errorf("terms in English = %+v, %t; want the German ones, with the table and without script", d, ok)
	}
	if own, _ := library.Document(legal.Withdrawal, "de"); !strings.Contains(own.HTML, "Eigene Belehrung") {
		t.Errorf("instruction = %q, want the operator's own", own.HTML)
	}
	first := d.Version
	write(t, dir, "terms.de.md", "# Neue AGB")
	if library, err = legal.Load(dir, seller); err != nil {
		t.Fatal(err)
	}
	if d, _ = library.Document(legal.Terms, "de"); d.Version == first || len(d.Version) != 12 {
		t.Errorf("version = %q after %q, want another", d.Version, first)
	}
	if _, ok := library.Document(legal.Imprint, "de"); ok {
		t.Error("there is an imprint, want none")
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"agb.de.md": "x", "terms.fr.md": "x", "terms.md": "x",
		"terms.de.html": "x", "terms.de.md": " ", "privacy.de.md": "\xff", "imprint.de.md": strings.Repeat("x", 256<<10+1)} {
		dir := t.TempDir()
		write(t, dir, name, content)
		if _, err := legal.Load(dir, seller); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error = %v, want one that names it", name, err)
		}
	}
	if _, err := legal.Load(filepath.Join(t.TempDir(), "none"), seller); err == nil {
		t.Error("a directory that does not exist is accepted")
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The accessibility statement needs no seller. It says how to report a barrier, and a file of the operator replaces it.
func TestAccessibilityStatement(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seller legal.Seller
		want   map[string]string
	}{
		{legal.Seller{AppURL: "https://credits.example.com"}, map[string]string{"de": "Impressum", "en": "imprint"}},
		{seller, map[string]string{"de": "help_me@example.com", "en": "help_me@example.com"}},
	} {
		library, err := legal.Load("", c.seller)
		for locale, want := range c.want {
			d, ok := library.Document(legal.Accessibility, locale)
			if err != nil || !ok || d.Locale != locale || !strings.Contains(d.HTML, want) || strings.Contains(d.HTML, "{{") {
				t.Errorf("statement in %s (%t, %v) lacks %q:\n%s", locale, ok, err, want, d.HTML)
			}
		}
	}
	dir := t.TempDir()
	write(t, dir, "accessibility.en.md", "Our own statement")
	library, err := legal.Load(dir, seller)
	own, _ := library.Document(legal.Accessibility, "en")
	if err != nil || !strings.Contains(own.HTML, "Our own statement") {
		t.Errorf("statement = %q (%v), want the operator's own", own.HTML, err)
	}
}
