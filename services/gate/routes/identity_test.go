package routes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/gate/routes"
)

const anyRule = "\nrules: [{is: free, routes: [GET /api/v1/status]}]"

func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]routes.Identity{
		"":                                    routes.DefaultIdentity,
		"{user: X-User-Id}":                   {User: "X-User-Id", Secret: "X-Credits-Secret"},
		"{user: x-tenant, secret: x-proof-2}": {User: "X-Tenant", Secret: "X-Proof-2"},
	} {
		table := "version: 1" + anyRule
		if text != "" {
			table = "version: 1\nidentity: " + text + anyRule
		}
		if got := parse(t, table).Identity; got != want {
			t.Errorf("identity %s: %v, want %v", text, got, want)
		}
	}
}

// A header with a meaning of its own cannot carry the identity: a proxy would drop it, or a server act on it.
func TestIdentityHeadersThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Cookie", "Authorization", "Host", "Connection", "Content-Length", "Content-Type", "Te",
		"Transfer-Encoding", "Upgrade", "Keep-Alive", "Proxy-Authorization", "Trailer", "Origin", "Accept", "User-Agent",
		"If-None-Match", "Next-Url", "Set-Cookie", "Forwarded", "X-Forwarded-For", "X-Real-Ip", "X-Request-Id",
		"X-Http-Method", "X-Middleware-Subrequest", "X-Nextjs-Data", "X-Frame-Options", "X-Original-Url", "X_Tenant", "X",
		"X-", "X--Tenant",
		"X-Tenant\\r\\nCookie", "X-Tenänt", "X Tenant", "X-Tenant:", "X-" + strings.Repeat("T", 63)} {
		for _, field := range []string{"user", "secret"} {
			text := fmt.Sprintf("version: 1\nidentity: {%s: %q}%s", field, name, anyRule)
			if _, err := routes.Parse([]byte(text), features); err == nil {
				t.Errorf("%s %q was accepted", field, name)
			}
		}
	}
	for _, text := range []string{"{user: X-One, secret: x-one}", "{user: ''}", "{owner: X-Tenant}"} {
		if _, err := routes.Parse([]byte("version: 1\nidentity: "+text+anyRule), features); err == nil {
			t.Errorf("identity %s was accepted", text)
		}
	}
}
