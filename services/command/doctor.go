package command

import (
	"context"
	"errors"
	"log/slog"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/doctor"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// checkSetUp is `credits doctor`. It works on a broken set-up: only wrong usage and a closed terminal are errors.
func checkSetUp(ctx context.Context, p *Program, args []string) error {
	set := newFlags("doctor", "command.doctor.explanation")
	fix := set.Bool("fix", false, say(ctx, "command.doctor.fix", nil))
	locale := set.String("locale", locales.Code(ctx), say(ctx, "command.doctor.locale", nil))
	letter := set.String("letter", "", say(ctx, "command.doctor.letter", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	ctx, ok := p.Texts.Context(ctx, *locale)
	if !ok {
		return UsageError(say(ctx, "command.doctor.unknown_locale", values{"locale": *locale}))
	}
	checks, err := p.diagnose(ctx, *fix, *letter)
	if err == nil {
		err = p.writeChecks(ctx, checks)
	}
	return err
}

// letterToSupport is the value of the flag letter that stands for SUPPORT_EMAIL.
const letterToSupport = "support"

// diagnose checks the set-up, with fix also corrects what can be corrected, sends a test letter to an address unless it
// is empty, and returns the findings.
func (p *Program) diagnose(ctx context.Context, fix bool, letter string) ([]doctor.Check, error) {
	var problems config.Problems
	if err := p.configure(); err != nil && !errors.As(err, &problems) {
		return nil, err
	}
	if p.Config.LogLevel >= slog.LevelInfo { // the findings say what matters
		p.Log = logging.NewLogger(p.Stderr, slog.LevelError, p.Config.LogFormat)
	}
	setUp := &doctor.SetUp{Problems: problems, Fix: fix, Now: models.Now, Log: p.Log, Description: p.packageText}
	if p.Config.Mode != config.Sandbox || len(problems) == 0 { // else the sandbox may be a mistake
		setUp.Failed = p.startStandIns(ctx)
	}
	if setUp.Config = p.Config; doctor.Callable(p.Config) {
		setUp.Stripe = stripeapi.New(p.Config.StripeSecretKey.Reveal(), p.Config.StripeAPIBase)
	}
	if letter == letterToSupport {
		setUp.Letter = &doctor.TestLetter{To: p.Config.SupportEmail}
	} else if letter != "" {
		setUp.Letter = &doctor.TestLetter{To: letter}
	}
	if setUp.Letter != nil {
		setUp.Letter.Subject, setUp.Letter.Text = say(ctx, "doctor.letter.subject", nil), say(ctx, "doctor.letter.text", nil)
	}
	return setUp.Run(ctx), nil
}

// writeChecks prints the findings.
// Errors: ErrRed when one of them is red.
func (p *Program) writeChecks(ctx context.Context, checks []doctor.Check) error {
	inWords := func(key string, args map[string]any) string { return say(ctx, key, args) }
	err := doctor.Write(p.Stdout, p.Config.Mode, checks, inWords)
	if err == nil && doctor.AnyRed(checks) {
		return ErrRed
	}
	return err
}

// startStandIns starts what serve would start: the private database and, in the sandbox, the stand-ins.
// Errors: their text is fit to be shown.
func (p *Program) startStandIns(ctx context.Context) error {
	var err error
	if !p.Config.Production() && p.Config.DatabasePoolURL == "" {
		err = p.startDatabase(ctx)
	}
	if err == nil && p.Config.Mode == config.Sandbox {
		if _, err = p.Purchases(ctx, nil); err == nil {
			_, err = p.SignIn(ctx, nil, nil, nil)
		}
		if err == nil {
			err = p.startResumeMatcher(ctx)
		}
	}
	if err != nil {
		return errors.New(logging.Redact(err.Error()))
	}
	return nil
}
