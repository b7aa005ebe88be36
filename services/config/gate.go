package config

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/loopback"
)

// ResumeMatcher is the Resume Matcher behind the gate.
type ResumeMatcher struct {
	URL            string `env:"URL"`                              // of its pages; {tenant}: one each; empty: no gate
	APIURL         string `env:"API_URL"`                          // of its backend; empty: through its pages
	PublicURL      string `env:"PUBLIC_URL"`                       // where browsers find it; empty: at APP_URL
	Secret         Secret `env:"SECRET"`                           // of the tenant add-on
	Routes         string `env:"ROUTES"`                           // a file that replaces the preset
	Shared         bool   `env:"SHARED"`                           // all users share its data
	TimeoutSeconds int    `env:"TIMEOUT_SECONDS" envDefault:"235"` // of one request

	Control string `env:"-"` // page on which a tester breaks the stand-in; empty without a stand-in
}

// Set reports whether there is a Resume Matcher.
func (r ResumeMatcher) Set() bool { return r.URL != "" }

// PerTenant reports whether each user has a Resume Matcher of their own.
func (r ResumeMatcher) PerTenant() bool { return strings.Contains(r.URL, tenantMark) }

// Household reports whether all users share one Resume Matcher's data.
func (r ResumeMatcher) Household() bool { return r.Set() && r.Secret == "" && !r.PerTenant() }

// Timeout is the limit of one request.
func (r ResumeMatcher) Timeout() time.Duration { return time.Duration(r.TimeoutSeconds) * time.Second }

// Table reads the file of the route table; nil for the preset.
func (r ResumeMatcher) Table() ([]byte, error) {
	if r.Routes == "" {
		return nil, nil
	}
	return os.ReadFile(r.Routes)
}

// Limits of RESUME_MATCHER_TIMEOUT_SECONDS.
const (
	minTimeoutSeconds = 10
	maxTimeoutSeconds = 1830 // Resume Matcher's own limit is at most 1800
)

// sharedAdvice is about a Resume Matcher whose users would see each other's resumes.
const sharedAdvice = "must be set to the secret of the tenant add-on, which gives each user their own resumes; " +
	"RESUME_MATCHER_SHARED=true does without, for one household whose members may read and change each other's"

func (c *Config) checkGate(p *problems) {
	gate := c.ResumeMatcher
	if gate.TimeoutSeconds < minTimeoutSeconds || gate.TimeoutSeconds > maxTimeoutSeconds {
		p.add("RESUME_MATCHER_TIMEOUT_SECONDS", "must be a number from 10 to 1830")
	}
	for name, address := range map[string]string{"RESUME_MATCHER_URL": gate.URL, "RESUME_MATCHER_API_URL": gate.APIURL} {
		c.checkMatcher(p, name, address)
	}
	if gate.APIURL != "" && gate.PerTenant() != strings.Contains(gate.APIURL, tenantMark) {
		p.add("RESUME_MATCHER_API_URL", "must contain {tenant} if RESUME_MATCHER_URL does, and only then")
	}
	c.checkPublicURL(p)
	if !gate.Set() {
		if gate.APIURL != "" {
			p.add("RESUME_MATCHER_URL", "must be set together with RESUME_MATCHER_API_URL")
		}
		if gate.PublicURL != "" && c.Mode != Sandbox {
			p.add("RESUME_MATCHER_URL", "must be set together with RESUME_MATCHER_PUBLIC_URL")
		}
		return
	}
	if secret := gate.Secret.Reveal(); secret == "" && !gate.Shared && c.Mode != Sandbox {
		p.add("RESUME_MATCHER_SECRET", sharedAdvice)
	} else if secret != "" && gate.Shared {
		p.add("RESUME_MATCHER_SHARED", "must not be true together with RESUME_MATCHER_SECRET, whose add-on keeps users apart")
	} else if secret != "" && (len(secret) < SessionBytes || Guessable(secret) || placeholder(secret)) {
		p.add("RESUME_MATCHER_SECRET", "must be at least 32 random bytes: openssl rand -hex 32")
	}
}

// tenantMark stands for a user's tenant id in the address of a Resume Matcher that each user has for themselves.
const tenantMark = "{tenant}"

// maxLabel is the longest label of a host name, in bytes (RFC 1035, 2.3.4).
const maxLabel = 63

// checkMatcher checks an origin of Resume Matcher. A tenant id may be part of its host name: it consists of 26
// lower-case letters and digits.
func (c *Config) checkMatcher(p *problems, name, address string) {
	tenant := strings.Repeat("t", 26)
	u, err := url.Parse(strings.Replace(address, tenantMark, tenant, 1))
	switch {
	case address == "":
	case err != nil || !isOrigin(u) || unfilled(address):
		p.add(name, "must be an origin such as http://localhost:3000 or http://matcher-{tenant}:3000, without a path")
	case address == c.AppURL:
		p.add(name, "must not be this server's own address, APP_URL")
	case strings.Contains(address, tenantMark) && slices.ContainsFunc(strings.Split(u.Hostname(), "."),
		func(label string) bool { return len(label) > maxLabel }):
		p.add(name, "must leave room for the 26 characters of {tenant}: a label of a host name has at most 63")
	}
}

// checkPublicURL wants another host for Resume Matcher's pages than for ours. A browser keeps the cookies of a host's
// ports in one place, so another port is not enough.
func (c *Config) checkPublicURL(p *problems) {
	const name = "RESUME_MATCHER_PUBLIC_URL"
	public := c.ResumeMatcher.PublicURL
	if public == "" {
		return
	}
	u, err := url.Parse(public)
	if err != nil || !isOrigin(u) || unfilled(public) {
		p.add(name, "must be a public origin such as https://resumes.example.com, without a path")
		return
	}
	own, err := url.Parse(c.AppURL)
	switch {
	case err != nil: // reported by checkServer
	case strings.HasSuffix(u.Hostname(), ".") || strings.TrimSuffix(own.Hostname(), ".") == u.Hostname():
		p.add(name, "must be another host than APP_URL's, without a dot at its end: another port does not keep cookies apart")
	case u.Scheme != own.Scheme:
		p.add(name, "must begin with "+own.Scheme+"://, as APP_URL does")
	case c.Mode == Sandbox && !loopback.Is(u.Hostname()):
		p.addKind(NotForSandbox, name, publicAdvice)
	}
}
