package handlers

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

func TestDocsPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	doc := readContract(t, f)
	for _, c := range []struct{ path, header, locale string }{
		{"/api/docs", "Accept-Language: de-AT", "de"}, {"/api/docs", "Accept-Language: fr", "en"},
		{"/api/docs", "Cookie: locale=de", "de"},
		{"/de/api/docs", "Accept-Language: en", "de"}, {"/en/api/docs", "Accept-Language: de", "en"},
	} {
		r := f.call("GET", c.path, "", c.header)
		page, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil || r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Fatalf("%s: status %d, type %q (%v), want 200 with HTML", c.path, r.status, r.header.Get("Content-Type"), err)
		}
		if lang := page.Find("html").AttrOr("lang", ""); lang != c.locale {
			t.Errorf("%s with %s: lang = %q, want %q", c.path, c.header, lang, c.locale)
		}
		if other := page.Find("#language-de").AttrOr("href", ""); other != "/de/api/docs" {
			t.Errorf("%s: German links to %q, want /de/api/docs", c.path, other)
		}
		for _, operation := range doc.Paths.Map() {
			for _, op := range operation.Operations() {
				call := page.Find("article#" + op.OperationID)
				if call.Length() != 1 || !strings.Contains(call.Text(), "curl ") || !strings.Contains(call.Text(), op.Summary) {
					t.Errorf("%s: no example of %s", c.path, op.OperationID)
				}
			}
		}
		page.Find("script[src], link[href]:not([rel=canonical], [rel=alternate]), img[src]").
			Each(func(_ int, s *goquery.Selection) {
				if from := s.AttrOr("src", s.AttrOr("href", "")); !strings.HasPrefix(from, "/static/") {
					t.Errorf("%s loads %s, want only /static/", c.path, from)
				}
			})
		for _, e := range apiErrors {
			if !strings.Contains(page.Find("table").Text(), string(e.name)) {
				t.Errorf("%s: the table of errors lacks %s", c.path, e.name)
			}
		}
		if text := page.Find("details").Text(); strings.Count(text, "CREDITS_URL=http://localhost ") != len(quickStarts) {
			t.Errorf("%s: want %d quick starts with our address:\n%s", c.path, len(quickStarts), text)
		}
		page.Find("#quick-start, a[download]").Each(func(_ int, s *goquery.Selection) {
			if to, linked := s.Attr("href"); linked && f.call("GET", to, "").status != 200 {
				t.Errorf("%s: %s does not open", c.path, to)
			}
		})
		if strings.Contains(r.body, "!(MISSING") || strings.Contains(r.header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: a text is missing, or the content policy has an unsafe source", c.path)
		}
	}
}
