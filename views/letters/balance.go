package letters

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/components"
)

// lowBalance tells that few credits are left.
func lowBalance(ctx context.Context, site Site, b mail.LowBalanceReached) letter {
	texts := locales.Args{"credits": components.CreditAmount(ctx, b.Balance), "threshold": components.CreditAmount(ctx, b.Threshold)}
	return letter{
		subject:    locales.T(ctx, "letter.low_balance.subject", texts),
		heading:    locales.T(ctx, "letter.low_balance.heading", texts),
		paragraphs: []string{locales.T(ctx, "letter.low_balance.text", texts)},
		action:     &action{locales.T(ctx, "letter.low_balance.buy"), site.AppURL + "/" + locales.Code(ctx) + "/purchase"},
	}
}
