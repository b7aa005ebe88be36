// Package resumematcher is a local stand-in for Resume Matcher, for the sandbox and for tests of the gate. Like port
// 3000 of the official image it serves pages and API together, and it answers as an unmodified Resume Matcher was
// observed to answer. A model that fails (Model) and a network that breaks (Transport) can be set while it runs.
//
// It could be a separate program: it imports nothing of the product but the names of loopback addresses, contains no
// code of Resume Matcher, and keeps its data in memory, up to 1000 users with 200 rows of a kind each. Its model always
// gives the same answer.
package resumematcher

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/services/loopback"
)

// maxBody bounds the body of a request, in bytes. Resume Matcher itself limits only the uploaded file.
const maxBody = 8 << 20

// Options configures New.
type Options struct {
	// Secret is what the add-on accepts in X-Credits-Secret. It must not be empty unless Shared is set.
	Secret string
	// Shared leaves the add-on out: everybody shares one household, as in an unmodified Resume Matcher.
	Shared bool
	// PublicURL is the origin of the gate in front, to which the control page leads back; empty without one.
	PublicURL string
}

// App is the stand-in, an http.Handler. Its methods may be called while it serves.
type App struct {
	secret  string
	shared  bool
	public  string
	table   table
	pages   *pages
	arrived chan string // routes of requests that Slow or Hang has stopped

	mu         sync.Mutex
	households map[string]*household // by user; "" when shared
	model      Model
	transport  Transport
	faulty     []string      // the routes that transport is for; none means all that ask the model
	release    chan struct{} // closed by Release
	seen       []*Request
	running    map[string]int // requests of each user
}

// New returns an empty stand-in with model Good and transport Normal.
// Errors: neither Secret nor Shared, or both.
func New(o Options) (*App, error) {
	if (o.Secret == "") != o.Shared {
		return nil, errors.New("resume matcher stand-in: set either Secret or Shared")
	}
	a := &App{
		secret: o.Secret, shared: o.Shared, public: o.PublicURL, model: Good, transport: Normal,
		release: make(chan struct{}), arrived: make(chan string, maxSeen), households: map[string]*household{},
		running: map[string]int{},
	}
	if err := yaml.Unmarshal(apiSource, &a.table); err != nil {
		return nil, fmt.Errorf("resume matcher stand-in: read API: %w", err)
	}
	var err error
	if a.pages, err = loadPages(); err != nil {
		return nil, err
	}
	return a, nil
}

// call is one request.
type call struct {
	app   *App
	r     *http.Request
	raw   []byte // the body
	route string // method and path template
	asks  bool   // the route asks the model
	serve func(*call) answer
	user  string // from X-Credits-User, once accepted
	echo  bool   // the answer repeats the user: the add-on's doing, so only on the API
	seen  *Request

	// What serves the API uses these too.
	home *household
	body object   // the JSON body
	rows []object // what the operation finds
	vars object   // what $name stands for
}

// ServeHTTP routes a request tolerantly, records it, and answers, unless a fault says otherwise.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if u := (url.URL{Host: r.Host}); !loopback.Is(u.Hostname()) {
		http.Error(w, "This stand-in answers only on localhost.", http.StatusMisdirectedRequest)
		return
	}
	target := resolve(r.URL)
	if target == controlPath {
		a.serveControl(w, r)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, http.StatusText(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge)
		return
	}
	c := &call{app: a, r: r, raw: raw}
	if target == "/api" || strings.HasPrefix(target, "/api/") {
		a.routeAPI(c, target)
	} else {
		a.routePage(c, target)
	}
	transport := a.record(c)
	defer a.end(c)
	a.pause(r.Context(), transport, c.route)
	a.deliver(w, c, transport)
}

// resolve returns the path that is served for a request's target. Two servers read it in turn, the frontend and the
// backend, so more spellings arrive than either would accept: both decode, slashes collapse, dots resolve, browsers'
// rules for backslashes, tabs and line ends hold, and /api may be in any case.
func resolve(u *url.URL) string {
	target := u.EscapedPath()
	for range 3 {
		decoded, err := url.PathUnescape(target)
		if err != nil {
			break
		}
		target = decoded
	}
	target = strings.NewReplacer(`\`, "/", "\t", "", "\r", "", "\n", "").Replace(target)
	slash := strings.HasSuffix(target, "/")
	target = path.Clean("/" + target)
	if first, rest, _ := strings.Cut(target[1:], "/"); strings.EqualFold(first, "api") {
		target = strings.TrimSuffix("/api/"+rest, "/")
	}
	if slash && target != "/" {
		target += "/"
	}
	return target
}
