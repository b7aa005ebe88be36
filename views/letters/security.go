package letters

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/components"
)

// security composes a letter about the ways into an account.
func security(kind models.LetterKind) func(ctx context.Context, site Site, a mail.Access) letter {
	return func(ctx context.Context, site Site, a mail.Access) letter {
		key := "letter." + string(kind)
		l := letter{
			subject: locales.T(ctx, key+".subject"),
			heading: locales.T(ctx, key+".subject"),
			paragraphs: site.withHelp([]string{locales.T(ctx, key+".text"), locales.T(ctx, "letter.not_you")},
				locales.T(ctx, "letter.not_you_help")),
			facts:  []fact{{locales.T(ctx, "letter.fact.at"), components.DateTime(ctx, a.At)}},
			action: &action{locales.T(ctx, "letter.account"), site.AppURL + "/" + locales.Code(ctx) + "/account"},
		}
		if a.Provider != "" {
			l.facts = append(l.facts, fact{locales.T(ctx, "letter.fact.provider"), a.Provider})
		}
		if kind == models.LetterSignedIn {
			device := a.Device
			if device == "" {
				device = locales.T(ctx, "account.sessions.unknown")
			}
			l.facts = append(l.facts, fact{locales.T(ctx, "letter.fact.device"), device})
		}
		return l
	}
}

// accountDeleted confirms a deletion, the last that the product writes to this person.
func accountDeleted(ctx context.Context, site Site, d mail.AccountDeleted) letter {
	l := letter{
		subject:    locales.T(ctx, "letter.account_deleted.subject"),
		heading:    locales.T(ctx, "letter.account_deleted.subject"),
		paragraphs: []string{locales.T(ctx, "letter.account_deleted.text")},
		facts:      []fact{{locales.T(ctx, "letter.fact.at"), components.DateTime(ctx, d.At)}},
	}
	for _, refund := range d.Refunds {
		l.paragraphs = append(l.paragraphs, locales.T(ctx, "letter.account_deleted.refund",
			locales.Args{"amount": components.Money(ctx, refund.Cents, refund.Currency)}))
	}
	if d.Retained {
		l.paragraphs = append(l.paragraphs, locales.T(ctx, "letter.account_deleted.retained",
			locales.Args{"until": components.Day(ctx, d.Until)}))
	}
	return l
}
