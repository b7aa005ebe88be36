package doctor

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/loopback"
)

// checkHosts checks that Resume Matcher's pages have a host of their own, which leads to the server as ours does.
func (s *SetUp) checkHosts(ctx context.Context) []Check {
	public, own := s.Config.ResumeMatcher.PublicURL, s.Config.AppURL
	args := facts{"url": public, "own": own}
	switch {
	case !s.Config.ResumeMatcher.Set() || s.hasProblem("RESUME_MATCHER_PUBLIC_URL") || s.hasProblem("APP_URL"):
		return nil // other checks report a problem
	case public == "" && s.Config.Strict():
		return matcherArea.warning("doctor.hosts.one", nil)
	case public == "":
		return nil
	}
	if status, _ := visit(ctx, own+"/healthz"); status == 0 {
		return matcherArea.warning("doctor.hosts.unchecked", args)
	}
	status, location := visit(ctx, public+gate.SessionPath)
	args["status"] = status
	if status != http.StatusSeeOther || !strings.HasPrefix(location, own+gate.HandoverPath+"?") {
		return matcherArea.red("doctor.hosts.elsewhere", args)
	}
	return matcherArea.ok("doctor.hosts.two", args)
}

// visit gets a page as a browser would, and returns its status, 0 for no answer, and where it leads.
func visit(ctx context.Context, address string) (status int, location string) {
	ctx, cancel := limited(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, ""
	}
	transport := &http.Transport{DialContext: dialLoopback, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = answer.Body.Close() }() // its content does not matter
	return answer.StatusCode, answer.Header.Get("Location")
}

// dialLoopback connects to this machine for names such as resumes.localhost, as browsers do: few resolvers know them.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && net.ParseIP(host) == nil && loopback.Is(host) {
		address = net.JoinHostPort("localhost", port)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
