package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/tracing"
)

// Limits of a connection to Resume Matcher.
const (
	dialTimeout  = 5 * time.Second // to connect; a host that is away may not even refuse
	idleTimeout  = 4 * time.Second // uvicorn and Node.js close after 5; a POST that meets the close would fail
	headerLimit  = 64 << 10        // bytes of an answer's header
	maxIdle      = 32              // connections to one host, kept for the next request
	maxIdleInAll = 512
)

// Upstream is a running Resume Matcher, or one for each user.
type Upstream struct {
	Identity routes.Identity // the headers of the tenant add-on

	pages, api *url.URL // with sampleTenant where {tenant} was
	perTenant  bool
	secret     string
	transport  *http.Transport
	calls      tracing.Transport // over transport
}

// TenantMark stands for the tenant id in the address of a Resume Matcher that each user has for themselves.
const TenantMark = "{tenant}"

// sampleTenant is a tenant id that no user has: its alphabet lacks the digit 1.
const sampleTenant = "11111111111111111111111111"

// NewUpstream returns the Resume Matcher at an origin. Its backend has an origin of its own, or is reached through the
// first if api is empty. With a secret, it has the tenant add-on and each of its answers must name the user.
func NewUpstream(pages, api, secret string) (*Upstream, error) {
	if api == "" {
		api = pages
	}
	u := &Upstream{
		Identity: routes.DefaultIdentity, secret: secret, perTenant: strings.Contains(pages, TenantMark),
		transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			DisableCompression:     true, // answers are read or passed on as they are
			IdleConnTimeout:        idleTimeout,
			MaxIdleConns:           maxIdleInAll,
			MaxIdleConnsPerHost:    maxIdle,
			MaxResponseHeaderBytes: headerLimit,
		},
	}
	u.calls = tracing.Transport{Base: u.transport, Peer: "Resume Matcher"}
	var pagesErr, apiErr error
	u.pages, pagesErr = url.Parse(strings.ReplaceAll(pages, TenantMark, sampleTenant))
	u.api, apiErr = url.Parse(strings.ReplaceAll(api, TenantMark, sampleTenant))
	return u, errors.Join(pagesErr, apiErr)
}

// origin returns where a tenant's requests of this path go.
func (u *Upstream) origin(path routes.Path, tenant string) *url.URL {
	base := u.pages
	if path.InAPI() {
		base = u.api
	}
	return &url.URL{Scheme: base.Scheme, Host: strings.Replace(base.Host, sampleTenant, tenant, 1)}
}

// Close closes the idle connections.
func (u *Upstream) Close() { u.transport.CloseIdleConnections() }

// send makes one request and returns the answer, whose body is still to be read. It never repeats a request
// that Resume Matcher may have received.
//
// Errors: fault.Upstream when there is no answer, or one that must not reach a browser.
func (u *Upstream) send(ctx context.Context, r Request) (*Response, error) {
	target := u.origin(r.Path, r.Tenant)
	target.Path, target.RawPath, target.RawQuery = string(r.Path), string(r.Path), r.Query
	request := (&http.Request{Method: r.Method, Host: target.Host, Header: upward(r.Header), URL: target}).WithContext(ctx)
	if len(r.Body) > 0 {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
	}
	if r.Tenant != "" && u.secret != "" {
		request.Header.Set(u.Identity.User, r.Tenant)
		request.Header.Set(u.Identity.Secret, u.secret)
	}
	answer, err := u.calls.RoundTrip(request)
	if err != nil {
		return nil, unanswered(ctx, err)
	}
	if err := u.check(r, answer); err != nil {
		_ = answer.Body.Close() // its content does not matter
		return nil, err
	}
	return &Response{Status: answer.StatusCode, Header: downward(answer.Header), Body: answer.Body,
		Length: answer.ContentLength, Tenant: r.Tenant}, nil
}

// unanswered is the fault for a request without an answer.
func unanswered(ctx context.Context, err error) error {
	problem := fault.UpstreamAway
	if ctx.Err() != nil {
		problem = fault.UpstreamSlow
	}
	return fault.Caused(fault.Upstream, problem, withoutBytes(ctx, err))
}

// withoutBytes returns an error of the transport for the log. It drops the text of net/http, which quotes answers that
// are not HTTP.
func withoutBytes(ctx context.Context, err error) error {
	cause := errors.New("the connection was closed, or what came is no HTTP")
	var network *net.OpError
	switch {
	case ctx.Err() != nil:
		cause = ctx.Err()
	case errors.As(err, &network):
		cause = network
	}
	return fmt.Errorf("ask Resume Matcher: %w", cause)
}

// check refuses answers that must not reach a browser: of another user, of another protocol, or leading elsewhere.
func (u *Upstream) check(r Request, answer *http.Response) error {
	switch {
	case answer.StatusCode < 200:
		return unusable(fmt.Sprintf("status %d", answer.StatusCode))
	case answer.Header.Get("Content-Encoding") != "":
		return unusable("compressed, although the request does not allow it")
	case r.Path.InAPI() && u.secret != "" && r.Tenant != "" && !only(answer.Header.Values(u.Identity.User), r.Tenant):
		return fault.Caused(fault.Upstream, fault.UpstreamUnusable, errUnnamed)
	case !redirects(answer.StatusCode):
		return nil
	case r.Path.InAPI():
		return unusable("a redirect of the API")
	}
	location, err := answer.Location()
	if home := u.origin("/", r.Tenant); err != nil || location.Scheme != home.Scheme || location.Host != home.Host {
		return unusable("a redirect to another host")
	}
	target := location.RequestURI()
	if _, _, err := routes.Canonical(target); err != nil {
		return unusable("a redirect to another spelling of a path") // a browser reads //example.com as a host
	}
	answer.Header.Set("Location", target)
	return nil
}

// errUnnamed says that an answer has not passed the tenant add-on.
var errUnnamed = errors.New("answer of Resume Matcher: it does not name the user: the tenant add-on is missing")

func unusable(why string) error {
	return fault.Caused(fault.Upstream, fault.UpstreamUnusable, errors.New("answer of Resume Matcher: "+why))
}

func redirects(status int) bool {
	return status >= 300 && status < 400 && status != http.StatusNotModified
}

func only(values []string, want string) bool { return len(values) == 1 && values[0] == want }

// upwardHeaders reach Resume Matcher. All others stay: cookies and other credentials, addresses, and every header by
// which a server behind might tell users apart. Idempotency-Key would make the transport repeat a POST.
var upwardHeaders = map[string]bool{
	"Accept": true, "Accept-Language": true, "Content-Type": true, "If-Modified-Since": true, "If-None-Match": true,
	"If-Range": true, "Purpose": true, "Range": true, "Rsc": true, "Sec-Purpose": true, "User-Agent": true,
}

// downwardHeaders reach the browser. All others stay, such as cookies, and policies that loosen ours.
var downwardHeaders = map[string]bool{
	"Accept-Ranges": true, "Cache-Control": true, "Content-Disposition": true, "Content-Language": true,
	"Content-Range": true, "Content-Type": true, "Etag": true, "Last-Modified": true, "Location": true,
	"Retry-After": true, "Vary": true,
}

// Upward reports whether a header of a request, by its canonical name, reaches Resume Matcher. Next.js has its own,
// such as Next-Router-State-Tree.
func Upward(name string) bool { return upwardHeaders[name] || strings.HasPrefix(name, "Next-") }

// upward returns the headers of a request that reach Resume Matcher.
func upward(header http.Header) http.Header {
	up := http.Header{"User-Agent": nil} // else the transport names itself
	for name, values := range header {
		if Upward(name) {
			up[name] = values
		}
	}
	return up
}

// downward removes the headers of an answer that do not reach the browser.
func downward(header http.Header) http.Header {
	maps.DeleteFunc(header, func(name string, _ []string) bool {
		return !downwardHeaders[name] && !strings.HasPrefix(name, "X-Nextjs-")
	})
	return header
}

// maxAnswer is the largest answer to a charged request, in bytes. Observed answers have less than 200 kB.
const maxAnswer = 4 << 20

// readWhole reads the body of an answer that is to be judged.
// Errors: fault.Upstream when it is cut, or larger than maxAnswer.
func (r *Response) readWhole(ctx context.Context) ([]byte, error) {
	defer func() { _ = r.Body.Close() }() // it has been read, or does not matter
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err != nil {
		return nil, unanswered(ctx, err)
	}
	if len(body) > maxAnswer {
		return nil, unusable("too large")
	}
	return body, nil
}
