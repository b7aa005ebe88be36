// Package doctor checks a set-up, advises how to correct it, and corrects what it can.
package doctor

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79/client"

	"github.com/resume-matcher/credits/services/config"
)

// callTimeout is how long the network calls of one check may take.
const callTimeout = 10 * time.Second

// SetUp is what doctor checks.
type SetUp struct {
	Config   config.Config   // with the valid settings
	Problems config.Problems // of config.Load
	Failed   error           // why the private database or a stand-in did not start; its text is shown
	Stripe   *client.API     // nil if the key must not be sent; see Callable
	Fix      bool            // correct what can be corrected
	Letter   *TestLetter     // to send; nil for none
	Now      func() time.Time
	Log      *slog.Logger

	Description func(analyses int64) string // as catalog.Service has it

	accepted time.Time // when Stripe accepted the key, by our clock; zero if it did not
	date     string    // the same time by Stripe's clock
	migrated bool      // the database can be queried
}

// TestLetter is a letter that shows whether the mail server delivers.
type TestLetter struct {
	To            string
	Subject, Text string
}

// Run runs every check, even if others fail, and returns the findings. Checks that others depend on come first. In the
// sandbox, and with Fix, it corrects what it can.
//
// Idempotent.
func (s *SetUp) Run(ctx context.Context) []Check {
	var found []Check
	for _, check := range []func(context.Context) []Check{
		s.checkSandbox, s.checkSession, s.checkAddress, s.checkDatabase, s.checkPooler, s.checkRole, s.checkKey, s.checkClock,
		s.checkSecrets,
		s.checkEndpoint, s.checkPrices, s.checkTax, s.checkSignIn, s.checkSpelling, s.checkResumeMatcher, s.checkHosts,
		s.checkMail, s.checkLetter, s.checkLegal,
	} {
		found = append(found, check(ctx)...)
	}
	return append(s.checkConfiguration(found), found...)
}

func (s *SetUp) sandbox() bool { return s.Config.Mode == config.Sandbox }

// mends reports whether doctor corrects what it finds. It does so in the sandbox, unless the settings say that the
// sandbox may be a mistake.
func (s *SetUp) mends() bool { return s.Fix || s.sandbox() && len(s.Problems) == 0 }

// hasProblem reports whether config found a problem with this variable.
func (s *SetUp) hasProblem(name string) bool {
	return slices.ContainsFunc(s.Problems, func(p config.Problem) bool { return p.Name == name })
}

// hasProblemKind is hasProblem for one kind of problem.
func (s *SetUp) hasProblemKind(name string, kind config.Kind) bool {
	return slices.ContainsFunc(s.Problems, func(p config.Problem) bool { return p.Name == name && p.Kind == kind })
}

// limited limits the time of one check's calls.
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
