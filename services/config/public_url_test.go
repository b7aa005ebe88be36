package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/config"
)

// Resume Matcher's own host is another one than ours, with the same scheme; in the sandbox it is this machine.
func TestPublicURLOfResumeMatcher(t *testing.T) {
	t.Parallel()
	const name = "RESUME_MATCHER_PUBLIC_URL"
	matcher := map[string]string{"RESUME_MATCHER_URL": "http://resume-matcher:3000",
		"RESUME_MATCHER_SECRET": "6d0c1f7be2a94c58b3e1907f5a2d8c46"}
	sandbox := map[string]string{"APP_URL": "http://localhost:3000", "RESUME_MATCHER_URL": "http://localhost:3100"}
	for address, c := range map[string]struct {
		env    map[string]string
		advice string // part of it; empty if the address is accepted
	}{
		"https://resumes.example.com":              {production, ""},
		"https://Resumes.Example.com/":             {production, ""},
		"https://resumes.example.com:8443":         {production, ""},
		"http://resumes.example.com":               {production, "https://"},
		"https://resumes.example.com/app":          {production, "without a path"},
		"https://resumes.example.com?x":            {production, "without a path"},
		"https://user@resumes.example.com":         {production, "without a path"},
		"resumes.example.com":                      {production, "without a path"},
		"ftp://resumes.example.com":                {production, "without a path"},
		"https://your-domain.com":                  {production, "without a path"},
		"https://resumes.example.com.":             {production, "a dot"},
		"https://credits.resume-matcher.test":      {production, "another host"},
		"https://CREDITS.resume-matcher.test:8443": {production, "another port"},
		"http://resumes.localhost:3000":            {sandbox, ""},
		"http://127.0.0.1:3000":                    {sandbox, ""},
		"http://[::1]:3000":                        {sandbox, ""},
		"http://localhost:3001":                    {sandbox, "another port"},
		"http://resumes.example.com:3000":          {sandbox, "this machine"},
		"https://resumes.localhost:3000":           {sandbox, "http://"},
	} {
		_, err := config.Load(with(matcher, c.env, map[string]string{name: address}))
		switch {
		case c.advice == "" && err != nil:
			t.Errorf("%s: got %v, want it accepted", address, err)
		case c.advice != "" && (err == nil || !strings.Contains(err.Error(), name) ||
			!strings.Contains(err.Error(), c.advice)):
			t.Errorf("%s: got %v, want advice about %q", address, err, c.advice)
		}
	}
	cfg, err := config.Load(with(matcher, production, map[string]string{name: "https://Resumes.Example.com/"}))
	if err != nil || cfg.ResumeMatcher.PublicURL != "https://resumes.example.com" {
		t.Errorf("got %q, %v, want the address as browsers write it", cfg.ResumeMatcher.PublicURL, err)
	}
	for address, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"http://resumes.localhost:3000": {nil, nil}, // the sandbox brings a Resume Matcher
		"https://resumes.example.com":   {production, []string{"RESUME_MATCHER_URL"}},
	} {
		if diff := cmp.Diff(c.want, wrong(t, with(c.env, map[string]string{name: address}))); diff != "" {
			t.Errorf("%s without a Resume Matcher, reported (-want +got):\n%s", address, diff)
		}
	}
}
