package purchase

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v79"
)

// stripeTimeout is for one attempt; a page waits for at most three.
const stripeTimeout = 8 * time.Second

func newHTTPClient() *http.Client { return &http.Client{Timeout: stripeTimeout} }

// redactStripe keeps of an error what does not quote our request or Stripe's answer.
func redactStripe(err error) error {
	var e *stripe.Error
	switch {
	case errors.As(err, &e):
		return fmt.Errorf("status %d, type %s, code %s, request %s", e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return fmt.Errorf("no answer (%T)", err)
}

// stripeLogger drops what the client says: its texts quote requests, and it logs every error that it also returns.
type stripeLogger struct{}

// Debugf drops the text.
func (stripeLogger) Debugf(string, ...any) {}

// Infof drops the text.
func (stripeLogger) Infof(string, ...any) {}

// Warnf drops the text.
func (stripeLogger) Warnf(string, ...any) {}

// Errorf drops the text.
func (stripeLogger) Errorf(string, ...any) {}
