// Package views_test checks the HTML of every page in both languages.
package views_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/layouts"
	"github.com/resume-matcher/credits/views/pages"
)

var texts *locales.Catalog

func TestMain(m *testing.M) {
	var err error
	if texts, err = locales.Load(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// localized returns a context in a language.
func localized(t *testing.T, locale string) context.Context {
	t.Helper()
	ctx, ok := texts.Context(context.Background(), locale)
	if !ok {
		t.Fatalf("no language %q", locale)
	}
	return ctx
}

// document renders content in its layout.
func document(t *testing.T, page layouts.Page, content templ.Component) (string, *goquery.Document) {
	t.Helper()
	var body bytes.Buffer
	if err := layouts.Base(page).Render(templ.WithChildren(localized(t, page.Locale), content), &body); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return body.String(), doc
}

func TestEveryPage(t *testing.T) {
	t.Parallel()
	for _, locale := range texts.Codes() {
		for _, s := range samples(locale) {
			t.Run(locale+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				html, doc := document(t, samplePage(locale), s.content)
				if n := doc.Find("h1").Length(); n != 1 {
					t.Errorf("%d h1 elements, want 1", n)
				}
				if lang := doc.Find("html").AttrOr("lang", ""); lang != locale {
					t.Errorf("lang = %q, want %q", lang, locale)
				}
				if i := strings.Index(html, "!("); i >= 0 {
					t.Errorf("a text is missing: %.60s", html[i:])
				}
				if strings.Contains(html, "%{") && !strings.Contains(html, "&lt;script&gt;") {
					t.Error("a placeholder has no value")
				}
				checkPolicy(t, doc)
				checkLabels(t, doc)
				checkReferences(t, doc)
				for _, id := range s.ids {
					if doc.Find("#"+id).Length() != 1 {
						t.Errorf("no element with id %q", id)
					}
				}
			})
		}
	}
}

// checkPolicy requires that the page has no style, script or handler that the content policy refuses.
func checkPolicy(t *testing.T, doc *goquery.Document) {
	t.Helper()
	if doc.Find("style").Length() > 0 {
		t.Error("the page has a style element")
	}
	doc.Find("script").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("src", "") == "" || s.Text() != "" {
			t.Errorf("the page has an inline script: %.60s", s.Text())
		}
	})
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		for _, a := range s.Nodes[0].Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") ||
				strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("<%s> has %s=%q", goquery.NodeName(s), a.Key, a.Val)
			}
		}
	})
}

// checkLabels requires a label for each input, a name for each button and link, and a token in each form that posts.
func checkLabels(t *testing.T, doc *goquery.Document) {
	t.Helper()
	doc.Find("input:not([type=hidden]), textarea, select").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		if label := doc.Find(`label[for="` + id + `"]`); id == "" || strings.TrimSpace(label.Text()) == "" {
			t.Errorf("input %q has no label", id)
		}
	})
	doc.Find("button, a").Each(func(_ int, s *goquery.Selection) {
		if strings.TrimSpace(s.Text()+s.AttrOr("aria-label", "")) == "" {
			t.Errorf("%s %q has no name", goquery.NodeName(s), s.AttrOr("id", s.AttrOr("href", "")))
		}
	})
	doc.Find("button").Each(func(_ int, s *goquery.Selection) {
		_, hidden := s.Attr("hidden") // until the script can copy
		works := s.AttrOr("commandfor", "") != "" || hidden && s.AttrOr("data-copies", "") != "" ||
			s.HasClass("flash-close") // app.css shows it where scripts run
		if kind := s.AttrOr("type", ""); kind != "submit" && (kind != "button" || !works) {
			t.Errorf("button %q has no type", s.AttrOr("id", ""))
		}
	})
	// The withdrawal form works without a session, so it has no token.
	doc.Find(`form[method=post]:not([action$="/withdrawal"])`).Each(func(_ int, s *goquery.Selection) {
		if s.Find("input[name=_csrf]").Length() != 1 {
			t.Errorf("form to %s has no token", s.AttrOr("action", ""))
		}
	})
}

// checkReferences requires unique ids, and an element for each id in an aria attribute or a label.
func checkReferences(t *testing.T, doc *goquery.Document) {
	t.Helper()
	seen := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		if id == "" || strings.Contains(id, " ") || seen[id] {
			t.Errorf("id %q is empty, has a space or is not unique", id)
		}
		seen[id] = true
	})
	for _, name := range []string{"aria-describedby", "aria-labelledby", "for", "data-copies"} {
		doc.Find("[" + name + "]").Each(func(_ int, s *goquery.Selection) {
			for id := range strings.FieldsSeq(s.AttrOr(name, "")) {
				if !seen[id] {
					t.Errorf("%s refers to the missing id %q", name, id)
				}
			}
		})
	}
}

func TestNamesAreText(t *testing.T) {
	t.Parallel()
	html, _ := document(t, samplePage("en"), adminSamples("en")[3].content)
	if strings.Contains(html, "<script>alert") || !strings.Contains(html, "&lt;script&gt;alert(&#34;name&#34;)") {
		t.Error("a user's name is not escaped")
	}
}

func TestHistoryShowsDirectionThreeWays(t *testing.T) {
	t.Parallel()
	_, doc := document(t, samplePage("de"), pages.History(pages.HistoryData{Locale: "de", Entries: sampleEntries()}))
	in, out := doc.Find("tbody tr").First(), doc.Find("tbody tr").Eq(4)
	if text := in.Find("td").Eq(2).Text(); !strings.Contains(text, "+1.000") ||
		!strings.Contains(text, "gutgeschrieben") || in.Find(".text-success").Length() != 1 {
		t.Errorf("credits in = %q, want a sign, a word and a color", text)
	}
	if text := out.Find("td").Eq(2).Text(); !strings.Contains(text, "−10") || !strings.Contains(text, "abgebucht") ||
		out.Find(".text-destructive").Length() != 1 {
		t.Errorf("credits out = %q, want a sign, a word and a color", text)
	}
	if doc.Find("tbody a").AttrOr("href", "") != "/de/purchase/"+buyID.String() {
		t.Error("a purchase does not link to its page")
	}
}

// A printed statement does not pass off one page, or what a filter found, as all transactions of the account.
func TestPrintedStatementIsNoMoreThanItHas(t *testing.T) {
	t.Parallel()
	month := pages.HistoryFilter{Month: "2026-11"}
	for name, c := range map[string]struct {
		data pages.HistoryData
		want string // ids of the remarks
	}{
		"everything":        {pages.HistoryData{}, "period"},
		"the first page":    {pages.HistoryData{NextURL: "/de/history?cursor=9"}, "period excerpt"},
		"the last page":     {pages.HistoryData{FirstURL: "/de/history"}, "period excerpt"},
		"a month":           {pages.HistoryData{Filter: month}, "period filtered"},
		"a page of a month": {pages.HistoryData{Filter: month, NextURL: "/"}, "period excerpt filtered"},
	} {
		c.data.Locale, c.data.Entries = "de", sampleEntries()
		_, doc := document(t, samplePage("de"), pages.History(c.data))
		if printed := doc.Find("#printed").Text() + doc.Find("#period").Text(); !strings.Contains(printed, "Ausdruck für ") ||
			strings.Count(printed, "Kontoauszug") != 1 {
			t.Errorf("%s: printed %q, want for whom, and once that it is a statement", name, printed)
		}
		var got []string
		doc.Find("#content .print-only[id]").Each(func(_ int, remark *goquery.Selection) {
			got = append(got, remark.AttrOr("id", ""))
		})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: printed remarks %q, want %q", name, got, c.want)
		}
		if lead := doc.Find(".lead"); !lead.HasClass("print:hidden") {
			t.Errorf("%s: “%s” is printed", name, lead.Text())
		}
	}
}

func TestReturnPollsOnlyWhileProcessing(t *testing.T) {
	t.Parallel()
	poll := "/en/billing?poll=2&success=true"
	_, doc := document(t, samplePage("en"), billing("en",
		&pages.ReturnState{Return: models.Return{Kind: models.ReturnProcessing, Purchase: samplePurchase()}, PollURL: poll}))
	if doc.Find(`#return-state [hx-trigger^="load delay:1s"]`).AttrOr("hx-get", "") != poll ||
		doc.Find("a#refresh").AttrOr("href", "") != poll {
		t.Error("a processing purchase does not poll")
	}
	_, doc = document(t, samplePage("en"), billing("en",
		&pages.ReturnState{Return: models.Return{Kind: models.ReturnBooked, Purchase: samplePurchase()}, PollURL: poll}))
	if doc.Find("[hx-get]").Length() != 0 {
		t.Error("a booked purchase still polls")
	}
}

func TestBalanceBadgeReplacesItself(t *testing.T) {
	t.Parallel()
	var body bytes.Buffer
	if err := components.BalanceBadge(models.Credits(-5), true).Render(localized(t, "de"), &body); err != nil {
		t.Fatal(err)
	}
	if got := body.String(); !strings.Contains(got, `id="balance"`) || !strings.Contains(got, `hx-swap-oob="true"`) ||
		!strings.Contains(got, "−5\u00a0Credits") {
		t.Errorf("badge = %s, want −5 Credits that replace #balance", got)
	}
}

func TestPartialPageIsOnlyTheContent(t *testing.T) {
	t.Parallel()
	page := samplePage("de")
	page.Partial = true
	html, doc := document(t, page, pages.History(pages.HistoryData{Locale: "de"}))
	if strings.Contains(html, "<html") || strings.Contains(html, "<main") || doc.Find("header.site-header").Length() != 0 {
		t.Error("the partial page contains the document")
	}
	if !strings.HasPrefix(html, "<title>Sample · ") || doc.Find("#flash p").Text() != "Done & dusted" ||
		doc.Find("h1").Length() != 1 {
		t.Errorf("the partial page lacks the title, flash or content: %.200s", html)
	}
	if doc.Find("output#balance[hx-swap-oob=true]").Length() != 1 {
		t.Error("the balance has no hx-swap-oob")
	}
}
