package models_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// An event that waits for a person must offer a decision.
func TestEveryCauseOffersADecision(t *testing.T) {
	t.Parallel()
	ignored := map[models.Cause]bool{models.CauseSessionMode: true, models.CauseSessionUnpaid: true,
		models.CauseSessionForeign:  true,
		models.CauseRefundOfNothing: true, models.CauseCustomerForeign: true, models.CausePriceForeign: true,
		models.CauseDecidedForeign: true, models.CauseAccount: true, models.CausePaymentForeign: true}
	for _, c := range models.Causes() {
		if kinds := c.Decisions(); (len(kinds) == 0) != ignored[c] {
			t.Errorf("%q offers %v, want no decision: %t", c, kinds, ignored[c])
		}
	}
	for name, c := range map[string]models.Cause{"an unknown code": "deadlock detected",
		"a code with an argument": models.CauseRefundStatus.Of("odd")} {
		if len(c.Decisions()) == 0 {
			t.Errorf("%s, %q, offers no decision, want some", name, c)
		}
	}
}

func TestCauseOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err           error
		want          models.Cause
		code          models.Cause
		argument, key string
	}{
		"finds a wrapped code": {fmt.Errorf("book: %w", models.CausePaidTwice), "paid_twice", models.CausePaidTwice, "",
			"cause.paid_twice"},
		"keeps the argument of a code": {models.CauseStripe.Of("503"), "stripe_failed 503", models.CauseStripe, "503",
			"cause.stripe_failed"},
		"stores any other error as an argument": {errors.New("deadlock detected"), "failed deadlock detected",
			models.CauseFailed, "deadlock detected", "cause.failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := models.CauseOf(c.err)
			code, argument := got.Split()
			if got != c.want || code != c.code || argument != c.argument || got.Key() != c.key {
				t.Errorf("cause = %q: code %q, argument %q, key %s; want %q: %q, %q, %s", got, code, argument, got.Key(),
					c.want, c.code, c.argument, c.key)
			}
		})
	}
}
