package letters

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
)

// sampleTime is when what samples tell of happened.
var sampleTime = time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)

// samples has arguments of each kind of letter.
var samples = map[models.LetterKind]any{
	models.LetterWithdrawalReceived: mail.WithdrawalReceived{ID: "01a224d7-0680-7125-84e7-7aab351f00a0",
		ReceivedAt: time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC), Contract: "500 Credits <b>\nund mehr",
		Name: "Ada Lovelace", Email: "ada@example.com"},
	models.LetterPurchasePaid:     purchase(500, 520),
	models.LetterDebitPending:     purchase(0, 0),
	models.LetterDebitFailed:      purchase(0, 0),
	models.LetterRefunded:         purchase(-250, 270),
	models.LetterRefundFailed:     purchase(250, 520),
	models.LetterDisputed:         purchase(-500, -20),
	models.LetterDisputeReturned:  purchase(500, 480),
	models.LetterLowBalance:       mail.LowBalanceReached{Balance: 9, Threshold: 10},
	models.LetterIdentityLinked:   mail.Access{At: sampleTime, Provider: "GitHub"},
	models.LetterIdentityUnlinked: mail.Access{At: sampleTime, Provider: "GitHub"},
	models.LetterSignedIn:         mail.Access{At: sampleTime, Device: "Firefox, Linux"},
	models.LetterAccountDeleted: mail.AccountDeleted{At: sampleTime, Retained: true,
		Until: time.Date(2036, 12, 31, 0, 0, 0, 0, time.UTC)},
	models.LetterOperatorPurchase: mail.InReview{ID: "01a224d7-0680-7125-84e7-7aab351f00a0", Cause: models.CauseAmount},
	models.LetterOperatorEvent:    mail.InReview{ID: "evt_1SX4cT2eZvKYlo2C", Cause: models.CauseDisputeStatus.Of("odd")},
	models.LetterOperatorDispute: mail.DisputeOpened{ID: "du_1SX4cT2eZvKYlo2C",
		PurchaseID: "01a224d7-0680-7125-84e7-7aab351f00a0", Cents: 2000, Currency: "eur"},
	models.LetterOperatorWithdrawal: mail.WithdrawalDeclared{ID: "01a224d7-0680-7125-84e7-7aab351f00a0",
		ReceivedAt: sampleTime},
	models.LetterOperatorFindings: mail.FindingsFound{Findings: 3, Review: 1, FinishedAt: sampleTime},
	models.LetterOperatorSilence:  mail.EventMissing{Session: "cs_live_a1b2c3d4e5f6"},
	models.LetterOperatorDigest: mail.Digest{Day: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC),
		Revenue: []mail.Revenue{{Currency: "eur", Cents: 123400}, {Currency: "usd", Cents: 500}},
		Sold:    30_000, Used: 21_045, Returned: 500, Waiting: 2},
}

func purchase(moved, balance models.Credits) mail.Purchase {
	return mail.Purchase{ID: "01a224d7-0680-7125-84e7-7aab351f00a0",
		OrderedAt: time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC), Credits: 500, Cents: 2000, Currency: "eur", Moved: moved,
		Balance: balance}
}

// Every kind of letter is complete in both languages.
func TestLetters(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	if len(composers) != len(models.LetterKinds()) {
		t.Errorf("%d composers for %d kinds", len(composers), len(models.LetterKinds()))
	}
	for _, kind := range models.LetterKinds() {
		args, err := json.Marshal(samples[kind])
		if err != nil || samples[kind] == nil {
			t.Errorf("%s has no sample: %v", kind, err)
			continue
		}
		for _, locale := range site.Texts.Codes() {
			t.Run(string(kind)+" "+locale, func(t *testing.T) {
				letter := models.Letter{Kind: kind, Locale: locale, Args: args}
				content, err := site.Write(letter, mail.Recipient{Name: "Ada <Lovelace>"})
				if err != nil {
					t.Fatal(err)
				}
				checkContent(t, content)
				if linked := strings.Contains(content.Text, "/unsubscribe"); linked != kind.Optional() ||
					(content.Unsubscribe != "") != linked {
					t.Errorf("unsubscribe = %q, linked: %t; want both if and only if the kind is optional", content.Unsubscribe, linked)
				}
				confirms := kind == models.LetterPurchasePaid || kind == models.LetterDebitPending
				if want := map[bool]int{true: 2}[confirms]; len(content.Attachments) != want {
					t.Errorf("%d attachments, want %d: the instruction and the form", len(content.Attachments), want)
				}
			})
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
	args, err := json.Marshal(samples[models.LetterWithdrawalReceived])
	if err != nil {
		t.Fatal(err)
	}
	letter := models.Letter{Kind: models.LetterWithdrawalReceived, Locale: "de", Args: args}
	content, err := newSite(t).Write(letter, mail.Recipient{})
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
