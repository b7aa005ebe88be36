package views_test

import (
	"testing"

	"github.com/resume-matcher/credits/views/layouts"
	"github.com/resume-matcher/credits/views/pages"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	history := pages.History(pages.HistoryData{Locale: "de"})

	t.Run("keeps page and query when the language changes", func(t *testing.T) {
		t.Parallel()
		page := samplePage("de")
		page.Path, page.Query = "/history", "cursor=5&q=a%26b"
		_, doc := document(t, page, history)
		if href := doc.Find(`a[hreflang=en]`).AttrOr("href", ""); href != "/en/history?cursor=5&q=a%26b" {
			t.Errorf("English links to %q, want the same page and query", href)
		}
		if current := doc.Find(`a[hreflang=de]`).AttrOr("aria-current", ""); current != "true" {
			t.Errorf("German: aria-current = %q, want true", current)
		}
	})
	t.Run("links every language for search engines, without the query", func(t *testing.T) {
		t.Parallel()
		page := samplePage("de")
		page.Origin, page.Path, page.Query = "https://credits.example.com", "/history", "q=a"
		_, doc := document(t, page, history)
		if href := doc.Find("link[rel=canonical]").AttrOr("href", ""); href != "https://credits.example.com/de/history" {
			t.Errorf("canonical = %q, want the German page without the query", href)
		}
		for lang, want := range map[string]string{"de": "de", "en": "en", "x-default": "en"} {
			if href := doc.Find(`link[rel=alternate][hreflang=`+lang+`]`).
				AttrOr("href", ""); href != "https://credits.example.com/"+want+"/history" {
				t.Errorf("alternate %s = %q, want /%s/history", lang, href, want)
			}
		}
	})
	t.Run("shows the balance and the sign-out to a user", func(t *testing.T) {
		t.Parallel()
		_, doc := document(t, samplePage("de"), history)
		if text := doc.Find("output#balance").Text(); text != "1.234.557\u00a0Credits" {
			t.Errorf("balance = %q, want 1.234.557 Credits", text)
		}
		if doc.Find(`form[action="/logout"] input[name=_csrf]`).AttrOr("value", "") != `token"<` {
			t.Error("the sign-out form has no token")
		}
		if headers := doc.Find("body").AttrOr("hx-headers", ""); headers != `{"X-CSRF-Token":"token\"\u003c"}` {
			t.Errorf("hx-headers = %s, want the escaped token", headers)
		}
		if doc.Find(`a[href="/de/admin"]`).Length() != 1 || doc.Find("#sandbox").Length() != 1 {
			t.Error("the page lacks the link to the administration or the sandbox banner")
		}
	})
	t.Run("has a title without the soft hyphens of the heading", func(t *testing.T) {
		t.Parallel()
		page := samplePage("de")
		page.Title = "Widerrufs\u00adbelehrung"
		if _, doc := document(t, page, history); doc.Find("title").Text() != "Widerrufsbelehrung · Resume Matcher Credits" {
			t.Errorf("title = %q, want no soft hyphen", doc.Find("title").Text())
		}
	})
	t.Run("shows the sign-in to a visitor", func(t *testing.T) {
		t.Parallel()
		_, doc := document(t, layouts.Page{Title: "x", Locale: "en"}, history)
		if doc.Find("#balance, #sign-out, #sandbox, body[hx-headers], nav[aria-label=Main]").Length() != 0 {
			t.Error("a visitor sees a user's elements")
		}
		if doc.Find(`a#sign-in[href="/en/login"]`).Length() != 1 {
			t.Error("the page does not link to the sign-in")
		}
	})
	t.Run("links only to the configured legal pages", func(t *testing.T) {
		t.Parallel()
		page := samplePage("de")
		if _, doc := document(t, page, history); doc.Find("#legal").Length() != 0 {
			t.Error("the page has an empty list of links")
		}
		page.Legal = layouts.Legal{Imprint: "https://example.com/impressum?a=1&b=2",
			Privacy: "https://example.com/datenschutz"}
		_, doc := document(t, page, history)
		if href := doc.Find("footer #imprint").AttrOr("href", ""); href != page.Legal.Imprint ||
			doc.Find("#imprint").Text() != "Impressum" {
			t.Errorf("the imprint links to %q, want %q", href, page.Legal.Imprint)
		}
		if doc.Find("#privacy").Length() != 1 || doc.Find("#terms").Length() != 0 {
			t.Error("the page does not link to the privacy page, or links to terms")
		}
	})
	t.Run("announces an error as an alert", func(t *testing.T) {
		t.Parallel()
		page := samplePage("en")
		page.Flash = &layouts.Flash{Kind: layouts.FlashFault, Text: "Broken"}
		_, doc := document(t, page, history)
		if doc.Find(`#flash[role=status] [role=alert]`).Text() != "Broken" {
			t.Error("the error is not an alert")
		}
	})
	t.Run("marks the current page in the navigation", func(t *testing.T) {
		t.Parallel()
		page := samplePage("en")
		for path, want := range map[string][2]string{"/purchase": {"page", "false"}, "/history": {"false", "page"},
			"/purchase/42": {"false", "true"}} {
			page.Path = path
			_, doc := document(t, page, history)
			buy, past := doc.Find(`a.nav-link[href="/en/purchase"]`), doc.Find(`a.nav-link[href="/en/history"]`)
			if got := [2]string{buy.AttrOr("aria-current", ""), past.AttrOr("aria-current", "")}; got != want {
				t.Errorf("%s: aria-current of buy and history = %v, want %v", path, got, want)
			}
		}
	})
}
