package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Requests per connection and round, and pieces of a stream.
const (
	gateEach     = 60
	gateAlone    = 400
	streamPieces = 200
)

// Paths of quickMatcher.
const (
	quickPage   = "/dashboard"
	quickLetter = "/api/v1/resumes/1/generate-cover-letter"
	quickStream = "/api/v1/resumes"
	quickList   = "/api/v1/resumes/list"
	quickFile   = "/logo.svg" // needs no session
)

// BenchmarkGate sends requests to Resume Matcher through the gate and, as the yardstick, directly to it, in turn; and
// requests for a page of ours to a server with the gate and to one without. One Resume Matcher is written in Go and
// answers at once, another in Python, as the real one is. The database is durable. Figures are medians over rounds, so
// run several (-benchtime 5x); the processor time of our server is that of all rounds. Beside them stands what the
// database takes to find a session, asked on a connection of its own with nothing in between.
func BenchmarkGate(b *testing.B) {
	g := newGateBench(b)
	for _, c := range g.cases {
		g.run(b, c) // the first requests open connections
	}
	g.figures, g.worked = map[string]*figure{}, map[string]time.Duration{}
	for b.Loop() {
		for _, c := range g.cases {
			g.run(b, c)
		}
		g.lookUp(b)
		g.stream(b, "stream, direct", g.matcher.url, "")
		g.stream(b, "stream, gate", g.gated.url, g.cookies[0])
	}
	g.report(b)
	dbtest.CheckLedger(b, g.fx.db)
}

// gateBench is a Resume Matcher, a server in front of it, one that stands alone, and the measurements.
type gateBench struct {
	fx      *fixture
	matcher *quickMatcher
	gated   *site
	cookies []string // header lines of some users
	conn    *pgx.Conn
	cases   []gateCase
	figures map[string]*figure
	worked  map[string]time.Duration // processor time of our server, by case
}

// gateCase is one kind of request, sent through the gate and past it.
type gateCase struct {
	name    string
	clients int
	each    int    // requests of a client in a round
	past    string // the yardstick: direct, or no gate
	direct  gateTarget
	gated   gateTarget
	site    *site // which gated goes to
}

// gateTarget is a request and the server that it goes to.
type gateTarget struct {
	address, method, path string
	headers               []string // of the clients in turn
}

// gateUsers share the connections: each may run few requests at once.
const gateUsers = 4

func newGateBench(b *testing.B) *gateBench {
	b.Helper()
	db, server := newDurableDatabase(b)
	g := &gateBench{fx: &fixture{db: db, url: server.URL()}, matcher: newQuickMatcher(b), figures: map[string]*figure{},
		worked: map[string]time.Duration{}}
	dir := workDir(b) // its secrets make a session valid at each server
	gate := func(matcher string) *site { return startIn(b, dir, append(g.fx.envFor(matcher), "LOG_LEVEL=warn")...) }
	g.gated = gate(g.matcher.url)
	alone := start(b, "DATABASE_URL="+g.fx.url, "LOG_LEVEL=warn")
	users := append([]*visitor{g.fx.newUser(g.gated, 100_000_000)}, signInMany(g.gated, gateUsers-1)...)
	for _, v := range users {
		var pairs []string
		for _, c := range v.client.Jar.Cookies(v.at) {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
		g.cookies = append(g.cookies, "Cookie: "+strings.Join(pairs, "; ")+"\r\n")
	}
	g.conn = connectAlone(b, g.fx.url)
	origin := "Origin: " + g.gated.url + "\r\nContent-Length: 0\r\n"
	none := []string{""}
	get := func(name string, clients, each int, path string, cookies []string) gateCase {
		return gateCase{name: name, clients: clients, each: each, past: "direct", site: g.gated,
			direct: gateTarget{g.matcher.url, "GET", path, none},
			gated:  gateTarget{g.gated.url, "GET", path, cookies}}
	}
	g.cases = []gateCase{
		get("file, one at a time", 1, gateAlone, quickFile, none),
		get("small, one at a time", 1, gateAlone, quickList, g.cookies),
		get("file, 32 at once", benchConnections, gateEach, quickFile, none),
		get("small, 32 at once", benchConnections, gateEach, quickList, g.cookies),
		get("200 kB, 32 at once", benchConnections, gateEach, quickPage, g.cookies),
		{name: "charged, one at a time", clients: 1, each: gateAlone, past: "direct", site: g.gated,
			direct: gateTarget{g.matcher.url, "POST", quickLetter, []string{"Content-Length: 0\r\n"}},
			gated:  gateTarget{g.gated.url, "POST", quickLetter, []string{g.cookies[0] + origin}}},
		{name: "own page, 32 at once", clients: benchConnections, each: gateEach, past: "no gate", site: g.gated,
			direct: gateTarget{alone.url, "GET", "/en/login", none}, gated: gateTarget{g.gated.url, "GET", "/en/login", none}},
	}
	if address := startPython(b); address != "" {
		site := gate(address)
		for _, c := range []gateCase{
			get("Python, file, 32 at once", benchConnections, gateEach, quickFile, none),
			get("Python, list, 32 at once", benchConnections, gateEach, quickList, g.cookies),
		} {
			c.direct.address, c.gated.address, c.site = address, site.url, site
			g.cases = append(g.cases, c)
		}
	}
	return g
}

// connect returns what sends the request on a client's own connection.
func (to gateTarget) connect(b *testing.B, clients int) (send func(client, _ int) error, end func()) {
	b.Helper()
	conns, texts := make([]*rawConn, clients), make([][]byte, clients)
	for i := range conns {
		conns[i] = dialRaw(b, to.address)
		texts[i] = fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", to.method, to.path, conns[i].host,
			to.headers[i%len(to.headers)])
	}
	send = func(client, _ int) error {
		if err := conns[client].post(texts[client], http.StatusOK); err != nil {
			return fmt.Errorf("%s %s%s: %w", to.method, to.address, to.path, err)
		}
		return nil
	}
	return send, func() {
		for _, c := range conns {
			_ = c.conn.Close() // the answers have arrived
		}
	}
}

// run measures a case at both servers.
func (g *gateBench) run(b *testing.B, c gateCase) {
	b.Helper()
	for _, to := range []struct {
		label string
		gateTarget
	}{{c.past, c.direct}, {"gate", c.gated}} {
		send, end := to.connect(b, c.clients)
		before := c.site.processorTime()
		rate, took := runClients(b, c.clients, c.each, send)
		end()
		if to.label == "gate" {
			g.worked[c.name] += c.site.processorTime() - before
		}
		g.add(c.name+", "+to.label, rate, took)
	}
}

func (g *gateBench) add(name string, rate float64, took []time.Duration) {
	if g.figures[name] == nil {
		g.figures[name] = &figure{name: "gate: " + name}
	}
	f := g.figures[name]
	f.rates, f.took = append(f.rates, rate), append(f.took, took...)
}

// stream reads a stream whose next piece is sent when the one before has arrived, and measures each piece's way.
func (g *gateBench) stream(b *testing.B, name, address, cookie string) {
	b.Helper()
	conn := dialRaw(b, address)
	_, err := fmt.Fprintf(conn.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", quickStream, conn.host, cookie)
	if err != nil {
		b.Fatal(err)
	}
	g.matcher.next <- struct{}{}
	res, err := http.ReadResponse(conn.in, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("%s: %v, %v", name, res, err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	took, began := make([]time.Duration, streamPieces), time.Now()
	for i := range took {
		line, err := lines.ReadString('\n')
		arrived := time.Now().UnixNano()
		sent, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil || sent == 0 {
			b.Fatalf("%s: piece %d is %q (%v)", name, i, line, err)
		}
		took[i] = time.Duration(arrived - sent)
		if i+1 < streamPieces {
			g.matcher.next <- struct{}{}
		}
	}
	g.add(name, streamPieces/time.Since(began).Seconds(), took)
}

// report writes the figures, and what the gate adds to the 50th and 99th percentile.
func (g *gateBench) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // drop the meaningless time per round
	g.reportLookUp(b)
	for _, c := range append(g.cases, gateCase{name: "stream", past: "direct"}) {
		direct, gate := g.figures[c.name+", "+c.past], g.figures[c.name+", gate"]
		gate.yard, gate.than = direct.rates, c.past
		unit := strings.NewReplacer(" ", "_", ",", "").Replace(c.name)
		slices.Sort(direct.took)
		slices.Sort(gate.took)
		for _, percent := range []int{50, 99} {
			added := gate.took[len(gate.took)*percent/100] - direct.took[len(direct.took)*percent/100]
			b.ReportMetric(float64(added.Microseconds())/1000, fmt.Sprintf("%s_added_p%d_ms", unit, percent))
		}
		b.ReportMetric(median(gate.rates)/median(direct.rates), unit+"_ratio")
		if worked := g.worked[c.name]; worked > 0 {
			b.ReportMetric(float64(worked.Microseconds())/float64(len(gate.took)), unit+"_processor_us")
		}
		writeFigures(b, *direct, *gate)
	}
}

// quickMatcher is a Resume Matcher that answers at once.
type quickMatcher struct {
	url  string
	next chan struct{} // allows the next piece of a stream
}

func newQuickMatcher(b *testing.B) *quickMatcher {
	b.Helper()
	m := &quickMatcher{next: make(chan struct{}, 1)}
	server := httptest.NewServer(m)
	b.Cleanup(server.Close)
	m.url = server.URL
	return m
}

var pageOf200kB = "<!DOCTYPE html><html><head></head>\n" + strings.Repeat("<p>Ada Example</p>\n", 200_000/19)

// ServeHTTP answers as the tenant add-on does: it repeats the user.
func (m *quickMatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user := r.Header.Get("X-Credits-User"); user != "" {
		w.Header().Set("X-Credits-User", user)
	}
	kind, body := "application/json", `{"version":"1","content":"Dear hiring team"}`
	switch r.URL.Path {
	case quickPage:
		kind, body = "text/html; charset=utf-8", pageOf200kB
	case quickStream:
		w.Header().Set("Content-Type", "text/event-stream")
		for range streamPieces {
			select {
			case <-m.next:
			case <-r.Context().Done():
				return
			}
			_, _ = fmt.Fprintln(w, time.Now().UnixNano()) // a closed connection ends the context
			_ = http.NewResponseController(w).Flush()
		}
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, body)
}
