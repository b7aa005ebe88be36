package config_test

import (
	"slices"
	"strings"
	"testing"
)

// A Resume Matcher is an origin, one for all users or one for each. Its users are kept apart by an add-on, or they
// share.
func TestResumeMatcherSettings(t *testing.T) {
	t.Parallel()
	const secret = "6d0c1f7be2a94c58b3e1907f5a2d8c46"
	const address, api, shared = "RESUME_MATCHER_URL", "RESUME_MATCHER_API_URL", "RESUME_MATCHER_SHARED"
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"one for all, with the add-on": {map[string]string{address: "http://matcher:3000"}, nil},
		"one for each": {map[string]string{address: "http://matcher-{tenant}:3000",
			api: "http://matcher-{tenant}:8000"}, nil},
		"one for each, by a subdomain":  {map[string]string{address: "https://{tenant}.matcher.example"}, nil},
		"a household":                   {map[string]string{address: "http://matcher:3000", shared: "true", "RESUME_MATCHER_SECRET": ""}, nil},
		"a household with the add-on":   {map[string]string{address: "http://matcher:3000", shared: "true"}, []string{shared}},
		"no secret":                     {map[string]string{address: "http://matcher:3000", "RESUME_MATCHER_SECRET": ""}, []string{"RESUME_MATCHER_SECRET"}},
		"a path":                        {map[string]string{address: "http://matcher:3000/{tenant}"}, []string{address}},
		"a tenant as the port":          {map[string]string{address: "http://matcher:{tenant}"}, []string{address}},
		"a tenant as a user":            {map[string]string{address: "http://{tenant}@matcher:3000"}, []string{address}},
		"a tenant as the scheme":        {map[string]string{address: "{tenant}://matcher:3000"}, []string{address}},
		"two tenants":                   {map[string]string{address: "http://{tenant}.{tenant}:3000"}, []string{address}},
		"another mark":                  {map[string]string{address: "http://matcher-{user}:3000"}, []string{address}},
		"a label that becomes too long": {map[string]string{address: "http://" + strings.Repeat("m", 38) + "{tenant}:3000"}, []string{address}},
		"a label that just fits":        {map[string]string{address: "http://" + strings.Repeat("m", 37) + "{tenant}:3000"}, nil},
		"one API for all":               {map[string]string{address: "http://matcher-{tenant}:3000", api: "http://matcher:8000"}, []string{api}},
		"an API for each":               {map[string]string{address: "http://matcher:3000", api: "http://matcher-{tenant}:8000"}, []string{api}},
	} {
		got := wrong(t, with(rehearsal, map[string]string{"RESUME_MATCHER_SECRET": secret}, c.env))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: complaints about %v, want %v", name, got, c.want)
		}
	}
}
