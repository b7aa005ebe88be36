// Package doctor checks a set-up and says how to mend it.
package doctor

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79/client"

	"github.com/resume-matcher/credits/services/config"
)

// callTimeout bounds what one check asks of the network.
const callTimeout = 10 * time.Second

// SetUp is what is checked.
type SetUp struct {
	Config   config.Config   // as far as it could be read
	Problems config.Problems // what config.Load complains of
	Failed   error           // why the private database or a stand-in did not start; its text is shown
	Stripe   *client.API     // nil when the key must not be sent anywhere; see Callable
	Fix      bool            // whether to mend what can be mended
	Now      func() time.Time
	Log      *slog.Logger

	accepted time.Time // when Stripe took the key, by our clock; zero when it did not
	date     string    // and by Stripe's
	migrated bool      // whether the database can be asked
}

// Run makes every check, each whatever became of the others, and says what it found in the order of the list below:
// what others need comes first. In the sandbox, and with Fix, it mends what it can.
//
// Idempotent.
func (s *SetUp) Run(ctx context.Context) []Check {
	var found []Check
	for _, check := range []func(context.Context) []Check{
		s.checkSandbox, s.checkSession, s.checkAddress, s.checkDatabase, s.checkPooler, s.checkRole, s.checkKey, s.checkClock, s.checkSecrets,
		s.checkEndpoint, s.checkPrices, s.checkTax, s.checkSignIn, s.checkSpelling,
	} {
		found = append(found, check(ctx)...)
	}
	return append(s.checkConfiguration(found), found...)
}

func (s *SetUp) sandbox() bool { return s.Config.Mode == config.Sandbox }

// mends reports whether what is wrong is to be put right. The sandbox is made at every start anyway, unless what is set
// beside it says that it may be a mistake.
func (s *SetUp) mends() bool { return s.Fix || s.sandbox() && len(s.Problems) == 0 }

// complained reports whether the configuration is wrong about this variable.
func (s *SetUp) complained(name string) bool {
	return slices.ContainsFunc(s.Problems, func(p config.Problem) bool { return p.Name == name })
}

// complainedOf is complained for one kind of problem.
func (s *SetUp) complainedOf(name string, kind config.Kind) bool {
	return slices.ContainsFunc(s.Problems, func(p config.Problem) bool { return p.Name == name && p.Kind == kind })
}

// limited bounds one check's calls.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}

func (s *SetUp) checkSandbox(context.Context) []Check {
	const area = area("doctor.area.sandbox")
	switch {
	case s.Failed != nil:
		return area.red("doctor.sandbox.failed", facts{"reason": s.Failed.Error()})
	case s.sandbox():
		return area.ok("doctor.sandbox.runs", nil)
	}
	return nil
}
