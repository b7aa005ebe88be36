package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/limit"
)

// Time limits of one request.
const (
	queryTimeout = 9 * time.Second  // for what is decided before Resume Matcher is asked
	settleLimit  = 20 * time.Second // for the capture or release after it
	holdReserve  = time.Minute      // that a hold outlives the request
)

// Request is what a browser asks of Resume Matcher.
type Request struct {
	UserID int64  // 0 for a route that needs no session
	Tenant string // the user's id at Resume Matcher; empty before their first request
	Method string
	Path   routes.Path
	Query  string
	Header http.Header
	Body   []byte
}

// Response is Resume Matcher's answer. The caller closes Body.
type Response struct {
	Status int
	Header http.Header // those that may reach the browser
	Body   io.ReadCloser
	Length int64 // of the body in bytes; -1 if unknown

	Tenant  string         // of the request; empty without a session
	Charged models.Credits // what the request took
	Feature string         // for which credits were held; empty without a hold
}

// Serve asks Resume Matcher, and takes the credits of a charged route if the answer is good. Once the question is sent,
// only its result decides, not whether the browser still waits.
//
// Errors: those of AddOn.Ready; fault.InsufficientCredits; fault.InProgress while the user's last request to the route
// runs; fault.Forbidden for a feature that is switched off; fault.Conflict for a route that needs a pass;
// fault.RateLimited above a daily bound, and for more than maxRunning requests at once; fault.Upstream for no answer or
// an unusable one; those of Rule.Inspect.
func (s *Service) Serve(ctx context.Context, rule *routes.Rule, r Request) (answer *Response, err error) {
	end, err := s.running.begin(r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if answer == nil { // also after a panic
			end()
		}
	}()
	if answer, err = s.serve(ctx, rule, r); err != nil {
		return nil, err
	}
	answer.Body = &cancelingBody{ReadCloser: answer.Body, cancel: end}
	return answer, nil
}

// serve is Serve without the bound on requests at once.
func (s *Service) serve(ctx context.Context, rule *routes.Rule, r Request) (*Response, error) {
	plan, err := rule.Inspect(r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		return nil, err
	}
	asked, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if r.UserID != 0 && r.Tenant == "" {
		if r.Tenant, err = s.TenantID(asked, r.UserID); err != nil {
			return nil, err
		}
	}
	if r.Tenant == "" && s.PerTenant() {
		return nil, fault.New(fault.Unauthenticated, nil)
	}
	if err := s.AddOn.Ready(asked, r.Tenant); err != nil {
		return nil, err
	}
	if plan.Daily > 0 {
		daily := limit.Rule{Name: "gate " + rule.Name(), Count: plan.Daily, Window: 24 * time.Hour}
		if err := s.Limits.Allow(asked, daily, limit.User(r.UserID)); err != nil {
			return nil, err
		}
	}
	if plan.Pass != nil {
		pass, err := s.UsePass(asked, r.UserID, plan.Pass.Name, plan.Pass.Subject)
		switch {
		case err != nil:
			return nil, err
		case pass != uuid.Nil:
			return s.forwardPaid(ctx, pass, r)
		case plan.Feature == "":
			return nil, fault.Because(fault.Conflict, fault.PassMissing)
		}
	}
	if plan.Feature == "" {
		return s.forward(ctx, r)
	}
	unpaid, err := s.countUnpaid(asked, rule, r.UserID)
	if err != nil {
		return nil, err
	}
	work, err := s.hold(asked, rule, r, plan)
	if err != nil {
		unpaid.Restore()
		return nil, err
	}
	work.unpaid = unpaid
	return s.charge(ctx, work, r)
}

// maxUnpaid is how many requests of one route a user may make in 24 hours for which the model may have been asked and
// that are not paid. Each may have cost the operator a call, and a user can write requests that all end so: where
// nothing is to be changed, or with a text that keeps the model from answering in the form that is wanted.
const maxUnpaid = 40

// countUnpaid counts a request as one that is not paid. Restore the window's count if it is, or if the model was not
// asked.
// Errors: fault.RateLimited.
func (s *Service) countUnpaid(ctx context.Context, rule *routes.Rule, userID int64) (*limit.Window, error) {
	window := s.Limits.WindowOf(limit.Rule{Name: "gate unpaid " + rule.Name(), Window: 24 * time.Hour}, limit.User(userID))
	wait, err := window.Consume(ctx, maxUnpaid)
	if err == nil && wait > 0 {
		err = limit.Exceeded(wait)
	}
	return window, err
}

// forward passes a request and its answer on, the body as it arrives.
func (s *Service) forward(ctx context.Context, r Request) (*Response, error) {
	asked, cancel := s.limited(ctx)
	answer, err := s.send(asked, r)
	if err != nil {
		cancel()
		return nil, err
	}
	answer.Body = &cancelingBody{ReadCloser: answer.Body, cancel: cancel}
	return answer, nil
}

// send makes the request. After a sign that the tenant add-on may have gone, the next request asks for it first.
func (s *Service) send(ctx context.Context, r Request) (*Response, error) {
	answer, err := s.Upstream.send(ctx, r)
	if err != nil {
		s.AddOn.suspect(r.Tenant, err)
	}
	return answer, err
}

// forwardPaid is forward of a request that a pass pays for. A failure costs no use, as it costs no credits.
func (s *Service) forwardPaid(ctx context.Context, pass uuid.UUID, r Request) (*Response, error) {
	answer, err := s.forward(ctx, r)
	if err == nil && answer.Status/100 == 2 {
		return answer, nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	if e := s.RestoreUse(limited, pass); e != nil {
		if err == nil {
			_ = answer.Body.Close() // its content does not matter
		}
		return nil, errors.Join(err, e)
	}
	return answer, err
}

// cancelingBody is a body whose request ends when it is closed.
type cancelingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the request.
func (b *cancelingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// limited returns a context that ends at the time limit of a request, or when Stop is called, but not when the browser
// goes away.
func (s *Service) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	detach := context.AfterFunc(s.stopping(), cancel)
	return limited, func() {
		detach()
		cancel()
	}
}
