package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/spend"
)

// work is a charged request and its hold.
type work struct {
	rule    *routes.Rule
	hold    uuid.UUID
	user    int64
	credits models.Credits
	feature string

	unpaid  *limit.Window // counts the request
	began   time.Time
	settled bool
}

// hold reserves the credits, and prepares the pass that their capture opens.
func (s *Service) hold(ctx context.Context, rule *routes.Rule, r Request, plan routes.Plan) (*work, error) {
	metadata, err := json.Marshal(map[string]string{"route": rule.Name()})
	if err != nil {
		return nil, err
	}
	// Without a key: a repeat would get the hold of the first, whose answer is not stored.
	held, err := s.Spend.Hold(ctx, spend.HoldRequest{
		Request: spend.Request{UserID: r.UserID, Feature: plan.Feature, Metadata: metadata},
		TTL:     s.Timeout + holdReserve, Exclusive: rule.Name(),
	})
	switch f := fault.Of(err); {
	case f != nil && f.Problem == fault.FeatureUnknown:
		return nil, fault.Because(fault.Forbidden, fault.FeatureOff)
	case f != nil && f.Code == fault.InsufficientCredits:
		f.Detail["feature"] = plan.Feature
	}
	if err != nil {
		return nil, err
	}
	w := &work{rule: rule, hold: held.ID, user: r.UserID, credits: held.Credits, feature: plan.Feature,
		began: time.Now()}
	if plan.Opens == nil {
		return w, nil
	}
	if err := s.OpenPass(ctx, w.hold, w.user, *plan.Opens); err != nil {
		return nil, errors.Join(err, s.release(ctx, w, 0))
	}
	return w, nil
}

// charge asks Resume Matcher, then captures the credits of a good answer and releases all others, also when it panics.
func (s *Service) charge(ctx context.Context, w *work, r Request) (*Response, error) {
	unpaid := false // the model may have been asked, for nothing that is worth the credits
	defer func() {
		if !unpaid {
			w.unpaid.Restore()
		}
		if !w.settled { // a panic; otherwise nothing is left to do
			_ = s.release(ctx, w, 0) // if it fails, the hold expires
		}
	}()
	asked, cancel := s.limited(ctx)
	defer cancel()
	answer, err := s.send(asked, r)
	if err != nil {
		unpaid = errors.Is(asked.Err(), context.DeadlineExceeded)
		return nil, errors.Join(err, s.release(ctx, w, 0))
	}
	unpaid, answer.Feature = askedModel(answer.Status), w.feature
	body, err := answer.readWhole(asked)
	if err != nil {
		return nil, errors.Join(err, s.release(ctx, w, answer.Status))
	}
	good, err := w.rule.Good(answer.Status, answer.Header.Get("Content-Type"), body)
	if err != nil {
		err = fault.Caused(fault.Upstream, fault.UpstreamUnusable, err)
		return nil, errors.Join(err, s.release(ctx, w, answer.Status))
	}
	if good {
		unpaid, answer.Charged = false, w.credits
		err = s.capture(ctx, w, answer.Status) // if it fails, nothing is given away: the hold expires
	} else {
		err = s.release(ctx, w, answer.Status)
	}
	if err != nil {
		return nil, err
	}
	answer.Body, answer.Length = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

// askedModel reports whether the model may have been asked before an answer with this status. When the model fails,
// which a user's text can bring about, Resume Matcher answers 500, 422 or 504. Servers in front answer 502 or 503.
func askedModel(status int) bool {
	switch status {
	case http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusGatewayTimeout:
		return true
	}
	return status/100 == 2
}

// capture takes the credits. It tries again while the database is away, since the work has been done.
func (s *Service) capture(ctx context.Context, w *work, status int) error {
	return s.settle(ctx, w, status, s.Spend.CaptureWith)
}

// release frees the credits.
func (s *Service) release(ctx context.Context, w *work, status int) error {
	return s.settle(ctx, w, status, s.Spend.ReleaseWith)
}

// settle ends the hold once, whatever has become of the browser.
func (s *Service) settle(ctx context.Context, w *work, status int,
	end func(context.Context, uuid.UUID, string, spend.Result) (ledger.Held, error)) error {
	w.settled = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	result := spend.Result{Status: status, Milliseconds: time.Since(w.began).Milliseconds()}
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		_, err := end(ctx, uuid.Nil, w.hold.String(), result)
		if err == nil || fault.Of(err) != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("settle hold %s: %w", w.hold, err)
		case <-time.After(pause):
		}
	}
}
