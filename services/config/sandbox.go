package config

import (
	"net/url"

	"github.com/resume-matcher/credits/services/loopback"
)

// realSettings belong to a set-up with real users: beside them, a STRIPE_SECRET_KEY that is missing is a mistake.
// STRIPE_API_BASE is checked with the key.
var realSettings = []string{
	"STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET", "SESSION_SECRET",
	"GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET",
	"LINKEDIN_CLIENT_ID", "LINKEDIN_CLIENT_SECRET", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_ISSUER",
}

const (
	realAdvice    = "belongs to a real set-up, and without STRIPE_SECRET_KEY this is the sandbox: set STRIPE_SECRET_KEY, or unset this"
	foreignAdvice = "leads to another machine, and the sandbox uses a database of this machine alone: set STRIPE_SECRET_KEY, or unset this"
	publicAdvice  = "must be this machine in the sandbox, such as http://localhost:3000: set STRIPE_SECRET_KEY to serve others"
)

// checkSandbox keeps the sandbox, in which everybody may be anybody, to this machine: its own address, its own
// database, and nothing of a real set-up beside it. values are the variables that are set. A database on this machine
// is for development and stays allowed.
func (c *Config) checkSandbox(p *problems, values map[string]string) {
	if c.Mode != Sandbox {
		return
	}
	if u, err := url.Parse(c.AppURL); err == nil && web(u) && !loopback.Is(u.Hostname()) {
		p.addKind(NotForSandbox, "APP_URL", publicAdvice)
	}
	for _, name := range realSettings {
		if values[name] != "" {
			p.addKind(NotForSandbox, name, realAdvice)
		}
	}
	for name, address := range map[string]Secret{"DATABASE_URL": c.DatabaseURL, "DATABASE_POOL_URL": c.DatabasePoolURL} {
		if Foreign(address) {
			p.addKind(NotForSandbox, name, foreignAdvice)
		}
	}
}
