package handlers

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/gate"
)

// answering is a Resume Matcher that always answers the same.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Each request to Resume Matcher counts once, under what became of it. The page learns what was charged where an action
// of the user was carried out or failed.
func TestOutcomesOfTheGateAreCounted(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address := f.monitored()
	upload := func() *rawClient {
		c := dial(t, address)
		if _, err := io.WriteString(c.conn, postUpload(uploadBody(64), f.cookie, ownOrigin)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	arrived, finish := make(chan struct{}), make(chan struct{})
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before that, net/http does not notice that the client has left
		<-r.Context().Done()
	}
	var first *rawClient
	for _, c := range []struct {
		name, outcome string
		charged       string // header; empty without it
		status        int
		answer        http.HandlerFunc
		prepare       func()
	}{
		{"a good answer", "charged", "10", 200, answering(200, `{"processing_status":"ready"}`), nil},
		{"a hollow answer", "uncharged", "0", 200, answering(200, `{"processing_status":"failed"}`), nil},
		{"a refusal", "uncharged", "0", 422, answering(422, `{}`), nil},
		{"a failure", "upstream", "0", 502, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil},
		{"a request while the first runs", "conflict", "", 409, func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-finish
			answering(500, `{}`)(w, r)
		}, func() {
			first = upload()
			<-arrived
		}},
		{"a request that takes too long", "upstream", "0", 502, silent, func() {
			close(finish)
			first.receive(http.MethodPost)
			f.handler.Gate.Timeout = time.Millisecond
		}},
		{"a request without credits", "insufficient_credits", "", 402, silent, func() { f.credit(f.user, -90) }},
		{"a request without the add-on", "closed", "0", 503, answering(404, `{}`), func() {
			f.handler.Gate.AddOn = gate.NewAddOn(f.handler.Gate.Upstream, models.Now, f.handler.Site.Log)
		}},
	} {
		f.behind("", c.answer)
		if c.prepare != nil {
			c.prepare()
		}
		series := `credits_gate_requests_total{outcome="` + c.outcome + `",route="POST /api/v1/resumes/upload"}`
		before, _ := f.scrape(address)
		res, body := upload().receive(http.MethodPost)
		after, _ := f.scrape(address)
		if res.StatusCode != c.status || after[series] != before[series]+1 {
			t.Errorf("%s: status %d, %s from %v to %v; want %d and one more: %s", c.name, res.StatusCode, series,
				before[series], after[series], c.status, body)
		}
		if got := res.Header.Get(headerCharged); got != c.charged {
			t.Errorf("%s: %s = %q, want %q", c.name, headerCharged, got, c.charged)
		}
	}
}

// A page that reads lists, or asks again and again whether one is ready, does not say each time that this cost nothing.
func TestOtherRoutesSayNothingOfCharges(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	for _, status := range []int{200, 500} {
		f.behind("", answering(status, `{"request_id":"x","data":[]}`))
		r := f.call("GET", "/api/v1/resumes/list", "", f.cookie)
		if r.status != status || r.header.Get(headerCharged) != "" {
			t.Errorf("list: status %d with %s %q, want %d without it", r.status, headerCharged, r.header.Get(headerCharged),
				status)
		}
	}
}
