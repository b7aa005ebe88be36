package config

import (
	"net/url"

	"github.com/resume-matcher/credits/services/loopback"
)

// realSettings returns the variables of set-ups with real users: with one of them, STRIPE_SECRET_KEY is missing by
// mistake. STRIPE_API_BASE is checked with the key.
func realSettings() []string {
	names := []string{"STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET", "SESSION_SECRET", "OIDC_ISSUER", "SMTP_URL"}
	for _, p := range Providers {
		names = append(names, p.ClientID(), p.ClientSecret())
	}
	return names
}

const (
	realAdvice    = "belongs to a real set-up, and without STRIPE_SECRET_KEY this is the sandbox: set STRIPE_SECRET_KEY, or unset this"
	foreignAdvice = "leads to another machine, and the sandbox uses a database on this machine only: set STRIPE_SECRET_KEY, or unset this"
	publicAdvice  = "must be this machine in the sandbox, such as http://localhost:3000: set STRIPE_SECRET_KEY to serve others"
)

// checkSandbox restricts the sandbox, where every visitor can sign in as any user, to this machine's addresses and
// databases, and refuses settings of real set-ups. values are the variables that are set.
func (c *Config) checkSandbox(p *problems, values map[string]string) {
	if c.Mode != Sandbox {
		return
	}
	if u, err := url.Parse(c.AppURL); err == nil && web(u) && !loopback.Is(u.Hostname()) {
		p.addKind(NotForSandbox, "APP_URL", publicAdvice)
	}
	for _, name := range realSettings() {
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
