package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

var errLocked = errors.New("row is locked")

func TestError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  *fault.Error
		text string
	}{
		"a code":              {fault.New(fault.InsufficientCredits, map[string]any{"required": 10}), "insufficient_credits"},
		"a value of an input": {fault.Field("quantity", fault.QuantityRange), "invalid: quantity_range"},
		"a code's problem": {fault.Because(fault.Unauthenticated, fault.SignInExpired),
			"unauthenticated: sign_in_expired"},
		"a cause": {fault.Wrap(fault.Unavailable, errLocked), "unavailable: row is locked"},
	} {
		t.Run("describes "+name, func(t *testing.T) {
			t.Parallel()
			if got := c.err.Error(); got != c.text {
				t.Errorf("error = %q, want %q", got, c.text)
			}
		})
	}
}

func TestErrorKeepsItsFacts(t *testing.T) {
	t.Parallel()
	if got := fault.New(fault.InsufficientCredits, map[string]any{"required": 10}); got.Detail["required"] != 10 {
		t.Errorf("detail = %v, want required 10", got.Detail)
	}
	if got := fault.Field("quantity", fault.QuantityRange); got.Code != fault.Invalid || got.Field != "quantity" ||
		got.Problem != fault.QuantityRange {
		t.Errorf("fault = %+v, want invalid, quantity, quantity_range", got)
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	conflict := fault.New(fault.Conflict, nil)
	for name, c := range map[string]struct {
		err  error
		want *fault.Error
	}{
		"nothing is not a fault":                   {nil, nil},
		"an ordinary error is not a fault":         {errLocked, nil},
		"a fault is itself":                        {conflict, conflict},
		"a wrapped fault is found":                 {fmt.Errorf("spend: %w", conflict), conflict},
		"a joined fault is found":                  {errors.Join(errLocked, conflict), conflict},
		"a fault formatted with %v is not a fault": {fmt.Errorf("spend: %v", conflict), nil}, //nolint:errorlint // the point
		"a fault behind two errors is found":       {fmt.Errorf("a: %w", fmt.Errorf("b: %w", conflict)), conflict},
		"an error of another type is not a fault":  {fmt.Errorf("%w", errLocked), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fault.Of(c.err); got != c.want || fault.Is(c.err, fault.Conflict) != (c.want != nil) {
				t.Errorf("fault = %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheOuterFaultCounts(t *testing.T) {
	t.Parallel()
	err := fault.Wrap(fault.Unavailable, fault.New(fault.Conflict, nil))
	if !fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want one that is unavailable and no conflict", err)
	}
}

func TestWrapKeepsTheCause(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("buy: %w", fault.Wrap(fault.Unavailable, errLocked))
	if !errors.Is(err, errLocked) || !fault.Is(err, fault.Unavailable) {
		t.Errorf("error = %v, want one that is unavailable because the row is locked", err)
	}
}
