// Package letters composes the e-mails that the product sends. HTML and plain text have one source.
package letters

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/components"
)

// Site is what every letter knows of this installation.
type Site struct {
	AppURL  string
	Support string // an address for questions; empty: letters name none
	Sandbox bool

	SmallBusiness bool          // § 19 UStG: no VAT is charged
	Documents     legal.Library // attached to order confirmations
	Texts         *locales.Catalog
}

// letter is the content of a letter before it becomes HTML and text.
type letter struct {
	subject    string
	heading    string
	paragraphs []string
	facts      []fact
	action     *action
	closing    []string

	unsubscribe *action // nil for a letter that users cannot switch off

	attached []legal.Kind
}

// fact is a name and a value.
type fact struct{ name, value string }

// action is what the reader can do next.
type action struct{ text, url string }

// composer writes one kind of letter.
type composer func(ctx context.Context, site Site, args json.RawMessage) (letter, error)

// composers has each kind of letter. The test of letters checks that none is missing.
var composers = map[models.LetterKind]composer{
	models.LetterWithdrawalReceived: withArgs(withdrawalReceived),
	models.LetterWithdrawalRefunded: withArgs(withdrawalRefunded),
	models.LetterPurchasePaid:       withArgs(purchasePaid),
	models.LetterCreditsUsable:      withArgs(creditsUsable),
	models.LetterDebitPending:       withArgs(debitPending),
	models.LetterDebitFailed:        withArgs(debitFailed),
	models.LetterRefunded:           withArgs(moved("refunded")),
	models.LetterRefundFailed:       withArgs(moved("refund_failed")),
	models.LetterDisputed:           withArgs(moved("disputed")),
	models.LetterDisputeReturned:    withArgs(moved("dispute_returned")),
	models.LetterIdentityLinked:     withArgs(security(models.LetterIdentityLinked)),
	models.LetterIdentityUnlinked:   withArgs(security(models.LetterIdentityUnlinked)),
	models.LetterSignedIn:           withArgs(security(models.LetterSignedIn)),
	models.LetterAccountDeleted:     withArgs(accountDeleted),
	models.LetterLowBalance:         withArgs(lowBalance),
	models.LetterOperatorPurchase:   withArgs(operatorPurchase),
	models.LetterOperatorEvent:      withArgs(operatorEvent),
	models.LetterOperatorDispute:    withArgs(operatorDispute),
	models.LetterOperatorWithdrawal: withArgs(operatorWithdrawal),
	models.LetterOperatorFindings:   withArgs(operatorFindings),
	models.LetterOperatorSilence:    withArgs(operatorSilence),
	models.LetterOperatorDigest:     withArgs(operatorDigest),
}

// withArgs reads the arguments of a kind.
func withArgs[A any](compose func(ctx context.Context, site Site, args A) letter) composer {
	return func(ctx context.Context, site Site, raw json.RawMessage) (letter, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return letter{}, fmt.Errorf("arguments: %w", err)
		}
		return compose(ctx, site, args), nil
	}
}

// Write composes a letter. It depends only on its arguments.
func (s Site) Write(l models.Letter, to mail.Recipient) (mail.Content, error) {
	compose := composers[l.Kind]
	if compose == nil {
		return mail.Content{}, fmt.Errorf("letter of unknown kind %q", l.Kind)
	}
	ctx, ok := s.Texts.Context(context.Background(), l.Locale)
	if !ok {
		return mail.Content{}, fmt.Errorf("letter in unknown language %q", l.Locale)
	}
	content, err := compose(components.WithZone(ctx, models.LegalZone), s, l.Args)
	if err != nil {
		return mail.Content{}, err
	}
	greeting := locales.T(ctx, "letter.greeting.nameless")
	if to.Name != "" {
		greeting = locales.T(ctx, "letter.greeting.name", locales.Args{"name": to.Name})
	}
	content.paragraphs = append([]string{greeting}, content.paragraphs...)
	unsubscribe := ""
	if l.Kind.Optional() {
		unsubscribe = s.AppURL + "/" + l.Locale + "/letters/" + l.ID.String() + "/unsubscribe"
		content.unsubscribe = &action{locales.T(ctx, "letter.unsubscribe"), unsubscribe}
	}
	content.closing = append(content.closing, s.closing(ctx)...)
	var page strings.Builder
	if err := document(l.Locale, content).Render(ctx, &page); err != nil {
		return mail.Content{}, fmt.Errorf("render letter: %w", err)
	}
	return mail.Content{Subject: content.subject, Text: content.text(), HTML: page.String(),
		Attachments: s.attachments(ctx, content.attached), Unsubscribe: unsubscribe}, nil
}

// attachments returns legal texts as files. A link would not do: what a consumer must fetch was not handed over.
func (s Site) attachments(ctx context.Context, kinds []legal.Kind) (files []mail.Attachment) {
	for _, kind := range kinds {
		if d, ok := s.Documents.Document(kind, locales.Code(ctx)); ok {
			files = append(files, mail.Attachment{Name: locales.T(ctx, "legal.file."+string(kind)),
				ContentType: "text/plain; charset=utf-8", Content: []byte(d.Source)})
		}
	}
	return files
}

// closing says who sends the letter and why.
func (s Site) closing(ctx context.Context) []string {
	var lines []string
	if s.Support != "" {
		lines = append(lines, locales.T(ctx, "letter.support", locales.Args{"address": s.Support}))
	}
	lines = append(lines, locales.T(ctx, "letter.sender", locales.Args{"url": s.AppURL}))
	if s.Sandbox {
		lines = append(lines, locales.T(ctx, "letter.sandbox"))
	}
	return lines
}

// text is the letter as plain text, its lines no longer than the reader's window breaks them.
func (l letter) text() string {
	blocks := append([]string{l.heading}, l.paragraphs...)
	var facts []string
	for _, f := range l.facts {
		facts = append(facts, f.name+": "+f.value)
	}
	if len(facts) > 0 {
		blocks = append(blocks, strings.Join(facts, "\n"))
	}
	if l.action != nil {
		blocks = append(blocks, l.action.text+":\n"+l.action.url)
	}
	closing := l.closing
	if l.unsubscribe != nil {
		closing = append(closing, l.unsubscribe.text+":\n"+l.unsubscribe.url)
	}
	return strings.Join(append(blocks, "-- \n"+strings.Join(closing, "\n")), "\n\n") + "\n"
}

// withHelp appends a paragraph that asks the reader to write, where an address for questions exists.
func (s Site) withHelp(paragraphs []string, ask string) []string {
	if s.Support == "" {
		return paragraphs
	}
	return append(paragraphs, ask)
}
