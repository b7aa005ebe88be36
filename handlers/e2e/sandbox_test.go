package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The sandbox lets anyone sign in as anyone, so it answers this machine only, and it occupies both loopback addresses
// so that no other program can answer in its place.
func TestSandboxListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := start(t)
	var port int
	if _, err := fmt.Sscanf(s.url, "http://localhost:%d", &port); err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.IsLinkLocalUnicast() {
			continue // needs a zone
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), fmt.Sprint(port)))
		if (err == nil) != ip.IsLoopback() {
			t.Errorf("dial %s: error %v, want it open if and only if loopback", ip, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if both, err := net.Listen("tcp", net.JoinHostPort("::1", fmt.Sprint(port))); err == nil {
		both.Close()
		t.Error("another program can listen on ::1, want the port taken")
	}
}

// A misspelled Stripe key does not start the sandbox beside production settings.
func TestSandboxRefusesProductionSettings(t *testing.T) {
	t.Parallel()
	database := dbtest.Empty(t)
	env := []string{"STRIPE_SECRET_KEYS=sk_live_9aFq2LmZ", "APP_URL=https://credits.example.com",
		"DATABASE_URL=" + database, "GOOGLE_CLIENT_ID=a1",
		"GOOGLE_CLIENT_SECRET=b2", "STRIPE_WEBHOOK_SECRET=whsec_7Yt3kPwQ", "SESSION_SECRET=6d0c1f7be2a94c58b3e1907f5a2d8c46"}
	for _, name := range []string{"serve", "migrate", "reconcile"} {
		out, code := command(t, env, name)
		if code != 1 || !strings.Contains(out, "did you mean STRIPE_SECRET_KEY?") {
			t.Errorf("credits %s: exit status %d, want 1 and the right name:\n%s", name, code, out)
		}
		for _, setting := range []string{"APP_URL", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "STRIPE_WEBHOOK_SECRET",
			"SESSION_SECRET"} {
			if !strings.Contains(out, "\n  "+setting+" ") {
				t.Errorf("credits %s: output lacks %s:\n%s", name, setting, out)
			}
		}
	}
}
