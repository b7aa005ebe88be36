package stripe

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// controls lists the control API, which triggers what Stripe, a bank or a buyer does on its own. It accepts forms and
// answers with JSON if the request accepts application/json, else with a redirect to the page. An action that the state
// does not allow is refused with 409.
func (s *Server) controls() []endpoint {
	return []endpoint{
		{"POST /control/sessions/{id}/pay", payParams, on(s.payByControl)},
		{"POST /control/sessions/{id}/expire", nil, on(expireByControl)},

		{"POST /control/payments/{id}/succeed", nil, s.settleDebit},
		{"POST /control/payments/{id}/fail", nil, s.failDebit},
		{"POST /control/payments/{id}/refund", controlRefundParams, s.refundByControl},
		{"POST /control/payments/{id}/dispute", newDisputeParams, s.openDispute},

		{"POST /control/refunds/{id}/succeed", nil, on(moveRefund(refundSucceeded))},
		{"POST /control/refunds/{id}/fail", nil, on(moveRefund(refundFailed))},
		{"POST /control/refunds/{id}/cancel", nil, on(moveRefund(refundCanceled))},

		{"POST /control/disputes/{id}/escalate", nil, on(escalateDispute)},
		{"POST /control/disputes/{id}/review", nil, on(reviewDispute)},
		{"POST /control/disputes/{id}/win", nil, on(winDispute)},
		{"POST /control/disputes/{id}/lose", nil, on(closeDispute(disputeLost))},
		{"POST /control/disputes/{id}/close", nil, on(closeDispute(disputeWarningClosed))},

		{"POST /control/customers/{id}/delete", nil, s.deleteCustomer},

		{"GET /control/delivery", nil, s.showDeliveryState},
		{"POST /control/delivery", deliveryParams, s.setDelivery},
		{"POST /control/events/{id}/redeliver", redeliverParams, s.redeliver},
		{"POST /control/release", nil, s.releaseHeld},
	}
}

// conflict refuses an action that the state of an object does not allow. code is also the key of the page's text.
func conflict(code, message string, args ...any) *apiError {
	e := refused(code, "", message, args...)
	e.status = http.StatusConflict
	return e
}

// serveControl serves one address of the control API, with idempotency keys as Stripe's API has them.
func (s *Server) serveControl(e *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by := caller{RequestID: newID("req_"), IdempotencyKey: r.Header.Get("Idempotency-Key")}
		params, err := readParams(w, r)
		back := params.Get("back")
		params.Del("back")
		var a *answer
		if err == nil {
			a, err = s.run(r, e, e.params, params, by)
		}
		if err != nil {
			a = s.failure(err, by)
		}
		w.Header().Set("Cache-Control", "no-store")
		if r.Method == http.MethodGet || strings.Contains(r.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			s.reply(w, a)
			return
		}
		http.Redirect(w, r, resultURL(back, e.pattern, a), http.StatusSeeOther)
	}
}

// ownPage matches the pages that a form may return to.
var ownPage = regexp.MustCompile(`^/(dashboard(/delivery|/payments/\w+)?|c/pay/\w+)$`)

// resultURL is the page that shows the result: ?done=refunds.fail or ?refused=<code>.
func resultURL(back, pattern string, a *answer) string {
	if !ownPage.MatchString(back) {
		back = "/dashboard"
	}
	if a.refusal != nil {
		return back + "?refused=" + url.QueryEscape(a.refusal.reason())
	}
	return back + "?done=" + doneKey(pattern)
}

// doneKey names an action: "POST /control/refunds/{id}/fail" is "refunds.fail".
func doneKey(pattern string) string {
	_, path, _ := strings.Cut(pattern, "/control/")
	return strings.ReplaceAll(strings.ReplaceAll(path, "/{id}", ""), "/", ".")
}

// outcome returns the texts for the result of a control that redirected to the page; empty without one.
func (p page) outcome(r *http.Request) (done, refused string) {
	query := r.URL.Query()
	if reason := query.Get("refused"); reason != "" {
		refused = cmp.Or(p.T("refused."+reason), p.T("refused.state"))
	}
	return p.T("done." + query.Get("done")), refused
}

// reason returns the name of the refusal in the pages' texts.
func (e *apiError) reason() string {
	switch {
	case e.status >= http.StatusInternalServerError:
		return "fault"
	case e.code != "":
		return e.code
	case e.param != "":
		return e.param
	default:
		return "state"
	}
}
