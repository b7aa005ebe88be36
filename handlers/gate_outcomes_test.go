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

// Each request to Resume Matcher counts once, under what became of it.
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
		status        int
		answer        http.HandlerFunc
		prepare       func()
	}{
		{"a good answer", "charged", 200, answering(200, `{"processing_status":"ready"}`), nil},
		{"a hollow answer", "uncharged", 200, answering(200, `{"processing_status":"failed"}`), nil},
		{"a refusal", "uncharged", 422, answering(422, `{}`), nil},
		{"a failure", "upstream", 502, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil},
		{"a request while the first runs", "conflict", 409, func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-finish
			answering(500, `{}`)(w, r)
		}, func() {
			first = upload()
			<-arrived
		}},
		{"a request that takes too long", "upstream", 502, silent, func() {
			close(finish)
			first.receive(http.MethodPost)
			f.handler.Gate.Timeout = time.Millisecond
		}},
		{"a request without credits", "insufficient_credits", 402, silent, func() { f.credit(f.user, -90) }},
		{"a request without the add-on", "closed", 503, answering(404, `{}`), func() {
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
	}
}
