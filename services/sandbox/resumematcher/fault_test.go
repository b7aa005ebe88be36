package resumematcher_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	. "github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

func TestTransports(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	id := f.send(t, anna, "POST /resumes/upload", pdf).id(t, "resume_id")
	for transport, want := range map[Transport]struct {
		status int // 0: the answer breaks
		user   string
	}{
		Normal: {200, anna}, CutBefore: {0, ""}, CutMidBody: {0, ""}, LengthTooLong: {0, ""}, LengthTooShort: {0, ""},
		EndlessHeaders: {0, ""}, NoContent: {204, anna}, Elsewhere: {307, anna}, Switching: {101, ""},
		OtherUser: {200, "someoneelse0000000000000000"}, NoUser: {200, ""}, LooseHeaders: {200, anna},
	} {
		f.SetTransport(transport)
		g, err := f.try(t, anna, "POST /enrichment/analyze/"+id, nil)
		switch {
		case want.status == 0 && err == nil:
			t.Errorf("transport %s: got %d, want a broken answer", transport, g.StatusCode)
		case want.status != 0 && err != nil:
			t.Errorf("transport %s: %v", transport, err)
		case want.status != 0 && (g.StatusCode != want.status || g.Header.Get("X-Credits-User") != want.user):
			t.Errorf("transport %s: got %d and user %q, want %d and %q", transport, g.StatusCode, g.Header.Get("X-Credits-User"),
				want.status, want.user)
		}
		if g := f.send(t, anna, "GET /resumes/list", nil); g.StatusCode != http.StatusOK {
			t.Errorf("transport %s: a route without a model got %d, want 200", transport, g.StatusCode)
		}
	}
	f.SetTransport(Elsewhere, "GET /api/v1/resumes/list")
	if g := f.send(t, anna, "GET /resumes/list", nil); g.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("named route: got %d, want 307", g.StatusCode)
	}
}

func TestHugeBodyIsStreamed(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	f.SetTransport(HugeBody, "GET /api/v1/resumes/list")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/api/v1/resumes/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"X-Credits-User": {anna}, "X-Credits-Secret": {secret}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if read, err := io.CopyN(io.Discard, response.Body, 8<<20); err != nil || response.ContentLength >= 0 {
		t.Errorf("got %d bytes, %v and length %d, want 8 MiB of a body without a length", read, err, response.ContentLength)
	}
}

// A slow request does its work after the release, also if its client has left.
func TestSlowWorkOutlivesItsClient(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	f.SetTransport(Slow)
	ctx, leave := context.WithCancel(t.Context())
	kind, body := pdf.encode(t)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/api/v1/resumes/upload", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"X-Credits-User": {anna}, "X-Credits-Secret": {secret}, "Content-Type": {kind}}
	left := make(chan struct{})
	go func() {
		defer close(left)
		if _, err := do(request); err == nil {
			t.Error("the abandoned request was answered")
		}
	}()
	if route := <-f.Arrived(); route != "POST /api/v1/resumes/upload" {
		t.Errorf("arrived: got %s", route)
	}
	leave()
	<-left
	f.SetTransport(Normal)
	f.Release()
	dbtest.Eventually(t, "the abandoned upload is stored", func() bool {
		return f.send(t, anna, "GET /resumes/list?include_master=true", nil).at("data.0.processing_status") == "ready"
	})
}

func TestHangEndsWithItsClient(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	f.SetTransport(Hang, "GET /api/v1/status")
	connection, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(connection, "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX-Credits-User: "+anna+
		"\r\nX-Credits-Secret: "+secret+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	<-f.Arrived()
	if err := connection.Close(); err != nil {
		t.Fatal(err)
	}
	if asked := f.Seen()[0].Asked; asked != 0 {
		t.Errorf("a request that hangs asked the model %d times, want 0", asked)
	}
}

func TestControlBreaksAndReleases(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	post := func(form, site string) got {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/control", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"},
			"Sec-Fetch-Site": {site}}
		g, err := do(request)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	if g := post("model=blank", "cross-site"); g.StatusCode != http.StatusForbidden {
		t.Errorf("form of another site: got %d, want 403", g.StatusCode)
	}
	if g := post("model=unknown", "same-origin"); g.StatusCode != http.StatusBadRequest {
		t.Errorf("unknown model: got %d, want 400", g.StatusCode)
	}
	g := post("model=blank&transport=no-user&routes=GET /dashboard", "same-origin")
	if g.at("model") != "blank" || g.at("transport") != "no-user" || g.at("routes.0") != "GET /dashboard" {
		t.Errorf("got %s, want the model, the transport and its route", g.text)
	}
	if g := f.send(t, anna, "POST /resumes/upload", pdf); g.at("processing_status") != "failed" {
		t.Errorf("upload with a blank model: got %s, want failed", g.text)
	}
}
