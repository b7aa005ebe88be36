package handlers

import (
	"io"
	"net/http"
	"testing"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// begin sends an upload, waits until it arrives at a Resume Matcher of this transport, and returns what reads its
// status.
func (f *gateFixture) begin(address string, transport resumematcher.Transport) (status func() int) {
	f.t.Helper()
	f.matcher.SetTransport(transport)
	c := dial(f.t, address)
	if _, err := io.WriteString(c.conn, postUpload(uploadBody(64), f.cookie, ownOrigin)); err != nil {
		f.t.Fatal(err)
	}
	<-f.matcher.Arrived()
	return func() int {
		res, _ := c.receive(http.MethodPost)
		return res.StatusCode
	}
}

// wantCredits checks the user's balance and held credits.
func (f *gateFixture) wantCredits(what string, balance, held models.Credits) {
	f.t.Helper()
	var user models.User
	if err := f.db.Take(&user, f.user).Error; err != nil {
		f.t.Fatal(err)
	}
	if user.CreditsBalance != balance || user.CreditsHeld != held {
		f.t.Errorf("%s: balance %d, held %d credits; want %d and %d", what, user.CreditsBalance, user.CreditsHeld, balance,
			held)
	}
	dbtest.CheckLedger(f.t, f.db)
}

// A session that ends while a request runs does not end it: its result decides.
func TestSignOutWhileARequestRuns(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, _ := f.serve(transport.Slots{})
	status := f.begin(address, resumematcher.Slow)
	if err := f.handler.Sessions.rows.EndAll(t.Context(), f.user); err != nil {
		t.Fatal(err)
	}
	f.wantCredits("while the request runs", 100, 10)
	f.matcher.Release()
	if got := status(); got != http.StatusOK {
		t.Errorf("status %d, want 200", got)
	}
	f.wantCredits("after the request", 90, 0)
	if r := f.call("POST", "/api/v1/resumes/upload", "", f.cookie, ownOrigin); r.status != http.StatusUnauthorized {
		t.Errorf("the next request: status %d, want 401", r.status)
	}
}

// A server that shuts down lets a charged request finish. Stop ends one that hangs, and frees its credits.
func TestShutdownWhileARequestRuns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		transport resumematcher.Transport
		end       func(*gateFixture)
		status    int
		balance   models.Credits
	}{
		{resumematcher.Slow, func(f *gateFixture) { f.matcher.Release() }, http.StatusOK, 90},
		{resumematcher.Hang, func(f *gateFixture) { f.handler.Gate.Stop() }, http.StatusBadGateway, 100},
	} {
		f := newGateFixture(t)
		address, _ := f.serve(transport.Slots{})
		status := f.begin(address, c.transport)
		down := make(chan error, 1)
		go func() { down <- f.app.Shutdown() }()
		f.wantCredits("while the request runs", 100, 10)
		c.end(f)
		if got := status(); got != c.status {
			t.Errorf("%s: status %d, want %d", c.transport, got, c.status)
		}
		if err := <-down; err != nil {
			t.Errorf("%s: shut down: %v", c.transport, err)
		}
		f.wantCredits("after the request", c.balance, 0)
	}
}
