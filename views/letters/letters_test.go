package letters

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
)

// Every kind of letter is complete in both languages.
func TestLetters(t *testing.T) {
	t.Parallel()
	site, sampled := newSite(t), map[models.LetterKind]bool{}
	for _, sample := range Samples {
		sampled[sample.Kind] = true
		for _, locale := range site.Texts.Codes() {
			t.Run(sample.Name+" "+locale, func(t *testing.T) {
				content, err := site.WriteSample(sample, locale)
				if err != nil {
					t.Fatal(err)
				}
				checkContent(t, content)
				if linked := strings.Contains(content.Text, "/unsubscribe"); linked != sample.Kind.Optional() ||
					(content.Unsubscribe != "") != linked {
					t.Errorf("unsubscribe = %q, linked: %t; want both if and only if the kind is optional", content.Unsubscribe, linked)
				}
				confirms := sample.Kind == models.LetterPurchasePaid || sample.Kind == models.LetterDebitPending
				if want := map[bool]int{true: 2}[confirms]; len(content.Attachments) != want {
					t.Errorf("%d attachments, want %d: the instruction and the form", len(content.Attachments), want)
				}
			})
		}
	}
	for kind := range composers {
		if !sampled[kind] {
			t.Errorf("%s has no sample", kind)
		}
	}
}

var (
	markup     = regexp.MustCompile(`<[^>]*>`)
	unresolved = regexp.MustCompile(`%\{|!\(|MISSING`)
	loads      = regexp.MustCompile(`<img|<script|<link|<style|url\(|src=`)
)

// checkContent checks that a letter loads nothing, is small, has no unfilled text, and says the same as HTML and text.
func checkContent(t *testing.T, c mail.Content) {
	t.Helper()
	if c.Subject == "" || strings.ContainsAny(c.Subject, "\r\n") || len([]rune(c.Subject)) > 78 {
		t.Errorf("subject = %q, want one line of at most 78 characters", c.Subject)
	}
	if found := loads.FindString(c.HTML) + unresolved.FindString(c.HTML+c.Text); found != "" || len(c.HTML) > 30_000 {
		t.Errorf("%d bytes of HTML with %q, want at most 30,000, which load nothing and have no unfilled text",
			len(c.HTML), found)
	}
	if strings.Contains(c.HTML, "<b>") || strings.Contains(c.HTML, "<Lovelace>") {
		t.Error("the HTML repeats a stranger's markup")
	}
	words := html.UnescapeString(markup.ReplaceAllString(c.HTML, " ")) + c.HTML // its links, too
	for word := range strings.FieldsSeq(c.Text) {
		if word = strings.TrimRight(word, ":"); word != "--" && !strings.Contains(words, word) {
			t.Errorf("only the plain text says %q, want both alike", word)
		}
	}
}

// Times are those of the law's country, whoever reads them: 22:30 UTC is the next day in a German summer.
func TestTimesAreGerman(t *testing.T) {
	t.Parallel()
	content, err := newSite(t).WriteSample(Samples[0], "de")
	if err != nil || !strings.Contains(content.Text, "02.07.2026") || !strings.Contains(content.Text, "00:30") {
		t.Errorf("letter = %q (%v), want it to name 2 July, 00:30", content.Text, err)
	}
}

func newSite(t *testing.T) Site {
	t.Helper()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	documents, err := legal.Load("", legal.Seller{Name: "Muster GmbH", Address: "Musterweg 1", Email: "help@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return Site{Documents: documents, AppURL: "https://credits.example.com", Support: "help@example.com", Sandbox: true, Texts: texts}
}
