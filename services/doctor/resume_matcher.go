package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/loopback"
)

const matcherArea = area("doctor.area.resume_matcher")

// shownOperations is how many operations a finding names.
const shownOperations = 20

// checkResumeMatcher checks the Resume Matcher behind the gate: whether it answers, whether it keeps its users apart,
// where its PDFs come from, and whether the table of routes has a rule for each of its operations.
func (s *SetUp) checkResumeMatcher(ctx context.Context) []Check {
	settings := s.Config.ResumeMatcher
	if !settings.Set() || s.hasProblem("RESUME_MATCHER_URL") || s.hasProblem("RESUME_MATCHER_API_URL") {
		return nil // checkConfiguration reports a problem
	}
	table, tenant, checks := s.readGate(ctx)
	if settings.PerTenant() && tenant == "" {
		return append(checks, matcherArea.warning("doctor.resume_matcher.no_tenant", nil)...)
	}
	origin := func(template string) string { return strings.Replace(template, gate.TenantMark, tenant, 1) }
	checks = append(checks, checkHealth(ctx, "RESUME_MATCHER_URL", origin(settings.URL))...)
	if settings.APIURL != "" {
		checks = append(checks, checkHealth(ctx, "RESUME_MATCHER_API_URL", origin(settings.APIURL))...)
	}
	secret := settings.Secret.Reveal()
	switch {
	case AnyRed(checks):
		return checks
	case secret != "":
		return append(checks, s.checkAddOn(ctx, table, tenant, origin(cmp.Or(settings.APIURL, settings.URL)))...)
	case settings.Shared || s.sandbox():
		return append(checks, matcherArea.warning("doctor.resume_matcher.shared", nil)...)
	}
	return append(checks, matcherArea.wrong("RESUME_MATCHER_SECRET", "doctor.resume_matcher.no_secret")...)
}

// checkHealth asks Resume Matcher at the origin in a setting for its health.
func checkHealth(ctx context.Context, setting, origin string) []Check {
	status := ask(ctx, origin+"/api/v1/health")
	args := facts{"setting": setting, "url": origin, "status": status}
	switch status {
	case http.StatusOK:
		return matcherArea.ok("doctor.resume_matcher.ok", args)
	case 0:
		return matcherArea.red("doctor.resume_matcher.away", args)
	}
	return matcherArea.red("doctor.resume_matcher.unhealthy", args)
}

// checkAddOn asks the tenant add-on of the Resume Matcher at target what it protects.
func (s *SetUp) checkAddOn(ctx context.Context, table *routes.Table, tenant, target string) []Check {
	settings := s.Config.ResumeMatcher
	upstream, err := gate.NewUpstream(settings.URL, settings.APIURL, settings.Secret.Reveal())
	if err != nil {
		return nil // checkConfiguration reports it
	}
	defer upstream.Close()
	if table != nil {
		upstream.Identity = table.Identity
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	found, err := upstream.Describe(ctx, tenant)
	switch f := fault.Of(err); {
	case f == nil:
	case f.Problem == fault.AddOnRefuses:
		return matcherArea.wrong("RESUME_MATCHER_SECRET", "doctor.resume_matcher.secret")
	default:
		return matcherArea.red("doctor.resume_matcher.no_tenants", facts{"url": target, "reason": errors.Unwrap(f).Error()})
	}
	checks := matcherArea.ok("doctor.resume_matcher.tenants", facts{"version": found.Version,
		"matcher": cmp.Or(found.ResumeMatcher, "?")})
	return slices.Concat(checks, s.judgeFrontend(found.Frontend), judgeOperations(table, found.Operations))
}

// judgeFrontend reports on the address whose pages become PDFs. Behind our own address Resume Matcher finds our sign-in
// page.
func (s *SetUp) judgeFrontend(address string) []Check {
	frontend, err := url.Parse(address)
	own, ownErr := url.Parse(s.Config.AppURL)
	args := facts{"url": address}
	switch {
	case address == "":
		return nil // an older add-on
	case err == nil && loopback.Is(frontend.Hostname()):
		return matcherArea.ok("doctor.resume_matcher.pdf", args) // of Resume Matcher's own machine or container
	case err != nil || frontend.Hostname() == "" || ownErr != nil || strings.EqualFold(frontend.Host, own.Host):
		return matcherArea.red("doctor.resume_matcher.frontend", args)
	case strings.Contains(frontend.Hostname(), ".") && !private(frontend.Hostname()):
		return matcherArea.warning("doctor.resume_matcher.frontend_public", args)
	default:
		return matcherArea.ok("doctor.resume_matcher.pdf", args)
	}
}

// private reports whether a host is an address that the internet does not reach.
func private(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsPrivate()
}

// judgeOperations reports on operations that have no rule in the table; nil without a table.
func judgeOperations(table *routes.Table, operations []string) []Check {
	if table == nil {
		return nil
	}
	unlisted := withoutRule(table, operations)
	if len(unlisted) == 0 {
		return matcherArea.ok("doctor.resume_matcher.routes", facts{"count": len(operations)})
	}
	shown := strings.Join(unlisted[:min(len(unlisted), shownOperations)], ", ")
	return matcherArea.warning("doctor.resume_matcher.unlisted", facts{"count": len(unlisted), "operations": shown})
}

// parameter is a segment that stands for any value.
var parameter = regexp.MustCompile(`\{[^/{}]*\}`)

// withoutRule returns the operations that the gate answers 404 because its table does not know them.
func withoutRule(table *routes.Table, operations []string) []string {
	return slices.DeleteFunc(slices.Clone(operations), func(operation string) bool {
		method, template, _ := strings.Cut(operation, " ")
		_, err := table.Match(method, routes.Path(parameter.ReplaceAllString(template, "id")))
		return template == gate.TenantPath || !errors.Is(err, routes.ErrUnlisted)
	})
}

// readGate parses the table of routes against the features in the database, and returns the tenant id of the newest
// user. Both are empty without a database.
func (s *SetUp) readGate(ctx context.Context) (table *routes.Table, tenant string, failed []Check) {
	text, err := s.Config.ResumeMatcher.Table()
	if err != nil {
		return nil, "", unreadable(err)
	}
	if !s.migrated {
		return nil, "", nil // checkDatabase reports it
	}
	db, err := postgres.Open(s.Config.ServerDatabaseURL().Reveal(), s.Log)
	if err != nil {
		return nil, "", matcherArea.warning("doctor.unchecked.database", nil)
	}
	defer func() { _ = postgres.Close(db) }() // only read
	ctx, cancel := limited(ctx)
	defer cancel()
	if table, err = gate.ParseRoutes(ctx, db, text); err != nil {
		return nil, "", unreadable(err)
	}
	if tenant, err = gate.NewestTenant(ctx, db); err != nil {
		failed = matcherArea.warning("doctor.unchecked.database", nil)
	}
	return table, tenant, failed
}

// unreadable is the finding about a table that serve refuses. Its reasons are in English, for whoever writes tables.
func unreadable(err error) []Check {
	check := matcherArea.wrong("RESUME_MATCHER_ROUTES", "doctor.resume_matcher.table")[0]
	check.Args["reason"] = err.Error()
	return []Check{check}
}

// ask gets a JSON object from Resume Matcher, and returns the status: 0 for no answer, 200 only for an object.
func ask(ctx context.Context, address string) (status int) {
	ctx, cancel := limited(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }() // only read
	if response.StatusCode != http.StatusOK {
		return response.StatusCode
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(new(struct{})); err != nil {
		return http.StatusBadGateway
	}
	return http.StatusOK
}
