package doctor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Callable reports whether the configured key may be sent: it is a secret key, and a live one goes to Stripe only.
func Callable(cfg config.Config) bool {
	key := cfg.StripeSecretKey.Reveal()
	if config.LiveKey(key) {
		return cfg.StripeAPIBase == ""
	}
	return strings.HasPrefix(key, "sk_test_") || strings.HasPrefix(key, "rk_test_")
}

// CheckKey checks the form of the Stripe key and, if it may be sent, whether Stripe accepts it.
func CheckKey(ctx context.Context, cfg config.Config, problems config.Problems) []Check {
	s := &SetUp{Config: cfg, Problems: problems, Now: time.Now}
	if Callable(cfg) {
		s.Stripe = stripeapi.New(cfg.StripeSecretKey.Reveal(), cfg.StripeAPIBase)
	}
	return s.checkKey(ctx)
}

// checkKey checks the form of the key and whether Stripe accepts it.
func (s *SetUp) checkKey(ctx context.Context) []Check {
	const area = area("doctor.area.key")
	checks := s.checkKeyShape()
	if s.Stripe == nil {
		if len(checks) == 0 { // checkConfiguration says why the key is not sent
			checks = area.warning("doctor.unchecked.above", nil)
		}
		return checks
	}
	err := s.callStripe(ctx)
	if err == nil {
		checks = append(checks, s.checkEvents(ctx)...)
	}
	var answer *stripe.Error
	switch {
	case err == nil && len(checks) > 0:
		return checks
	case err == nil && s.sandbox():
		return area.ok("doctor.key.sandbox", nil)
	case err == nil && s.Config.Livemode():
		return area.ok("doctor.key.live", nil)
	case err == nil:
		return area.ok("doctor.key.test", nil)
	case errors.As(err, &answer) && answer.HTTPStatusCode == http.StatusUnauthorized:
		return append(checks, area.wrong("STRIPE_SECRET_KEY", "doctor.key.refused")...)
	case errors.As(err, &answer) && answer.HTTPStatusCode == http.StatusForbidden:
		return append(checks, area.wrong("STRIPE_SECRET_KEY", "doctor.key.forbidden")...)
	}
	return append(checks, area.red("doctor.key.no_answer", nil)...)
}

// checkKeyShape checks the form of the secret and the publishable key.
func (s *SetUp) checkKeyShape() []Check {
	const area, name, publishableName = area("doctor.area.key"), "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"
	key, publishable := s.Config.StripeSecretKey.Reveal(), s.Config.StripePublishableKey
	live := config.LiveKey(key)
	var checks []Check
	switch {
	case s.sandbox() && !s.hasProblem(name):
		return nil
	case key == "":
		return area.wrong(name, "doctor.key.missing")
	case strings.HasPrefix(key, "pk_"):
		return area.wrong(name, "doctor.key.publishable")
	case s.hasProblem(name):
		return area.wrong(name, "doctor.key.shape")
	case s.Config.Production() && !live:
		checks = area.wrong(name, "doctor.key.test_in_production")
	case live && !s.Config.Production():
		checks = area.wrong(name, "doctor.key.live_in_development")
	}
	switch {
	case publishable == "":
	case !strings.HasPrefix(publishable, "pk_"):
		checks = append(checks, area.wrong(publishableName, "doctor.key.not_publishable")...)
	case strings.HasPrefix(publishable, "pk_live_") != live:
		checks = append(checks, area.wrong(publishableName, "doctor.key.other_mode")...)
	}
	return checks
}

// callStripe makes the product's cheapest call and stores the time of the answer.
func (s *SetUp) callStripe(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	params := &stripe.PriceListParams{}
	params.Context, params.Limit, params.Single = ctx, stripe.Int64(1), true
	prices := s.Stripe.Prices.List(params)
	prices.Next()
	if err := prices.Err(); err != nil {
		return err
	}
	s.accepted = s.Now()
	if answer := prices.PriceList().LastResponse; answer != nil {
		s.date = answer.Header.Get("Date")
	}
	return nil
}

// checkEvents reports a restricted key that may not list events, which finds those that did not come.
func (s *SetUp) checkEvents(ctx context.Context) []Check {
	ctx, cancel := limited(ctx)
	defer cancel()
	params := &stripe.EventListParams{}
	params.Context, params.Limit, params.Single = ctx, stripe.Int64(1), true
	var answer *stripe.Error
	if errors.As(s.Stripe.Events.List(params).Err(), &answer) && answer.HTTPStatusCode == http.StatusForbidden {
		return area("doctor.area.key").warning("doctor.key.events_unread", nil)
	}
	return nil
}

// Limits of the difference to Stripe's clock. From 300 seconds on, webhooks are refused.
// Source: https://docs.stripe.com/webhooks#replay-attacks
const (
	clockWarning = 60 * time.Second
	clockRed     = 240 * time.Second
)

func (s *SetUp) checkClock(context.Context) []Check {
	const area = area("doctor.area.clock")
	theirs, err := http.ParseTime(s.date)
	if s.accepted.IsZero() || err != nil {
		return area.warning("doctor.unchecked.stripe", nil)
	}
	off := s.accepted.Sub(theirs).Abs().Truncate(time.Second)
	args := facts{"seconds": int64(off / time.Second)}
	switch {
	case off > clockRed:
		return area.red("doctor.clock.far_off", args)
	case off > clockWarning:
		return area.warning("doctor.clock.drifting", args)
	}
	return area.ok("doctor.clock.ok", args)
}
