package handlers

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/views/letters"
)

// Development shows every letter in both languages; its HTML may be framed by the page and loads nothing.
func TestLettersPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.handler.Letters = letters.Site{AppURL: "http://localhost", Texts: f.handler.Site.Texts}
	if r := f.call("GET", "/de/dev/letters/html", ""); r.status != 404 {
		t.Errorf("in production: status %d, want 404", r.status)
	}
	f.handler.Site.Development = true
	if r := f.call("GET", "/dev/letters", ""); r.status != 303 || r.header.Get("Location") != "/en/dev/letters" {
		t.Errorf("status %d to %q, want 303 to /en/dev/letters", r.status, r.header.Get("Location"))
	}
	for _, locale := range []string{"de", "en"} {
		for _, sample := range letters.Samples {
			query := "?sample=" + sample.Name
			if r := f.call("GET", "/"+locale+"/dev/letters"+query, ""); r.status != 200 ||
				strings.Count(r.body, "/dev/letters/html"+query+`"`) != 2 {
				t.Errorf("%s in %s: status %d, want 200 and two frames", sample.Name, locale, r.status)
			}
			r := f.call("GET", "/"+locale+"/dev/letters/html"+query, "")
			if r.status != 200 || !strings.Contains(r.body, "Ada &lt;Lovelace&gt;") ||
				r.header.Get("Content-Security-Policy") != letterPolicy || r.header.Get("X-Frame-Options") != "SAMEORIGIN" {
				t.Errorf("HTML of %s in %s: status %d, policy %q; want 200 and %q", sample.Name, locale, r.status,
					r.header.Get("Content-Security-Policy"), letterPolicy)
			}
		}
	}
	if r := f.call("GET", "/de/dev/letters?sample=none", ""); r.status != 404 {
		t.Errorf("an unknown sample: status %d, want 404", r.status)
	}
}
