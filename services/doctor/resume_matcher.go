package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
)

const matcherArea = area("doctor.area.resume_matcher")

// shownOperations is how many operations a finding names.
const shownOperations = 20

// checkResumeMatcher checks the Resume Matcher behind the gate: whether it answers, whether it keeps its users apart,
// and whether the table of routes has a rule for each of its operations.
func (s *SetUp) checkResumeMatcher(ctx context.Context) []Check {
	settings := s.Config.ResumeMatcher
	if !settings.Set() || s.hasProblem("RESUME_MATCHER_URL") || s.hasProblem("RESUME_MATCHER_API_URL") {
		return nil // checkConfiguration reports a problem
	}
	checks := checkHealth(ctx, "RESUME_MATCHER_URL", settings.URL)
	if settings.APIURL != "" {
		checks = append(checks, checkHealth(ctx, "RESUME_MATCHER_API_URL", settings.APIURL)...)
	}
	table, failed := s.routes(ctx)
	if checks = append(checks, failed...); Ill(checks) {
		return checks
	}
	secret := settings.Secret.Reveal()
	switch {
	case secret != "":
		found, status := describe(ctx, s.backend(), secret)
		return append(checks, judgeTenants(s.backend(), found, status, table)...)
	case settings.Shared || s.sandbox():
		return append(checks, matcherArea.warning("doctor.resume_matcher.shared", nil)...)
	}
	return append(checks, matcherArea.wrong("RESUME_MATCHER_SECRET", "doctor.resume_matcher.no_secret")...)
}

// backend is the origin of Resume Matcher's API.
func (s *SetUp) backend() string {
	if api := s.Config.ResumeMatcher.APIURL; api != "" {
		return api
	}
	return s.Config.ResumeMatcher.URL
}

// checkHealth asks Resume Matcher at the origin in a setting for its health.
func checkHealth(ctx context.Context, setting, origin string) []Check {
	status := ask(ctx, origin+"/api/v1/health", "", new(struct{}))
	args := facts{"setting": setting, "url": origin, "status": status}
	switch status {
	case http.StatusOK:
		return matcherArea.ok("doctor.resume_matcher.ok", args)
	case 0:
		return matcherArea.red("doctor.resume_matcher.away", args)
	}
	return matcherArea.red("doctor.resume_matcher.unhealthy", args)
}

// tenants is how the tenant add-on describes itself.
type tenants struct {
	Version    string   `json:"version"`
	Operations []string `json:"operations"` // method and path template
}

// describe asks the tenant add-on for its description.
func describe(ctx context.Context, origin, secret string) (found tenants, status int) {
	status = ask(ctx, origin+"/api/v1/credits-tenant", secret, &found)
	return found, status
}

// judgeTenants reports on the tenant add-on, and on operations that have no rule in the table.
func judgeTenants(origin string, found tenants, status int, table *routes.Table) []Check {
	args := facts{"url": origin, "status": status, "version": found.Version}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return matcherArea.wrong("RESUME_MATCHER_SECRET", "doctor.resume_matcher.secret")
	case status != http.StatusOK || found.Version == "":
		return matcherArea.red("doctor.resume_matcher.no_tenants", args)
	}
	checks := matcherArea.ok("doctor.resume_matcher.tenants", args)
	if table == nil {
		return checks
	}
	unlisted := withoutRule(table, found.Operations)
	if len(unlisted) == 0 {
		return append(checks, matcherArea.ok("doctor.resume_matcher.routes", facts{"count": len(found.Operations)})...)
	}
	shown := strings.Join(unlisted[:min(len(unlisted), shownOperations)], ", ")
	return append(checks, matcherArea.warning("doctor.resume_matcher.unlisted",
		facts{"count": len(unlisted), "operations": shown})...)
}

// parameter is a segment that stands for any value.
var parameter = regexp.MustCompile(`\{[^/{}]*\}`)

// tenantPath is the add-on's own route, which the gate calls and no browser.
const tenantPath = "/api/v1/credits-tenant"

// withoutRule returns the operations that the gate answers 404 because its table does not know them.
func withoutRule(table *routes.Table, operations []string) []string {
	return slices.DeleteFunc(slices.Clone(operations), func(operation string) bool {
		method, template, _ := strings.Cut(operation, " ")
		_, err := table.Match(method, routes.Path(parameter.ReplaceAllString(template, "id")))
		return template == tenantPath || !errors.Is(err, routes.ErrUnlisted)
	})
}

// routes parses the table of routes against the features in the database. It returns nil without a database.
func (s *SetUp) routes(ctx context.Context) (*routes.Table, []Check) {
	text, err := s.Config.ResumeMatcher.Table()
	if err != nil {
		return nil, unreadable(err)
	}
	if !s.migrated {
		return nil, nil // checkDatabase reports it
	}
	db, err := postgres.Open(s.Config.ServerDatabaseURL().Reveal(), s.Log)
	if err != nil {
		return nil, matcherArea.warning("doctor.unchecked.database", nil)
	}
	defer func() { _ = postgres.Close(db) }() // only read
	ctx, cancel := limited(ctx)
	defer cancel()
	table, err := gate.ParseRoutes(ctx, db, text)
	if err != nil {
		return nil, unreadable(err)
	}
	return table, nil
}

// unreadable is the finding about a table that serve refuses. Its reasons are in English, for whoever writes tables.
func unreadable(err error) []Check {
	check := matcherArea.wrong("RESUME_MATCHER_ROUTES", "doctor.resume_matcher.table")[0]
	check.Args["reason"] = err.Error()
	return []Check{check}
}

// ask gets a JSON object from Resume Matcher, and returns the status: 0 for no answer, 200 only for an object.
func ask(ctx context.Context, address, secret string, object any) (status int) {
	ctx, cancel := limited(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0
	}
	if secret != "" {
		request.Header.Set(routes.DefaultIdentity.Secret, secret)
	}
	// No redirect is followed: it would take the secret along.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }() // only read
	if response.StatusCode != http.StatusOK {
		return response.StatusCode
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(object); err != nil {
		return http.StatusBadGateway
	}
	return http.StatusOK
}
