package purchase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// stripeLogger passes the client's complaints on, without the texts that may quote a request.
type stripeLogger struct{ log *slog.Logger }

// Debugf drops what the client says at every request.
func (l stripeLogger) Debugf(string, ...any) {}

// Infof drops what the client says at every request.
func (l stripeLogger) Infof(string, ...any) {}

// Warnf says that the client complained.
func (l stripeLogger) Warnf(format string, _ ...any) {
	l.log.Warn("stripe client", "text", format)
}

// Errorf says that the client failed; the caller gets the error itself.
func (l stripeLogger) Errorf(format string, _ ...any) {
	l.log.Warn("stripe client", "text", format)
}
