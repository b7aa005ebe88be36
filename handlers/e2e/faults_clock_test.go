package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/localpg"
)

// databaseClockIsWrong runs PostgreSQL two hours ahead and behind. A signal handler that interrupts libfaketime gets
// the true time, so a PostgreSQL that is behind sometimes ends a statement long before its timeout.
func databaseClockIsWrong(tr *trial) {
	libraries, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	tr.need("Debian's faketime and postgresql", len(libraries) > 0 && len(programs) > 0)
	for _, offset := range []string{"+2h", "-2h"} {
		bin := workDir(tr)
		for _, name := range []string{"postgres", "initdb"} {
			script := fmt.Sprintf("#!/bin/sh\nLD_PRELOAD=%s FAKETIME=%s FAKETIME_DONT_FAKE_MONOTONIC=1 exec %s \"$@\"\n",
				libraries[0], offset, filepath.Join(filepath.Dir(programs[len(programs)-1]), name))
			if name == "initdb" {
				script = fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", programs[len(programs)-1])
			}
			tr.try(os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755))
		}
		fx := newDurable(tr, startPostgres(tr, localpg.Options{BinDir: bin}).URL())
		l := newLoad(tr, fx, newFleet(tr, 2, fx.env()...).origins())
		if offset == "-2h" {
			l.allowed = []string{"503"}
		}
		l.workAndWatch(fx.users[0], 2)
	}
}

// replicaClockIsWrong builds the product with another clock and runs one replica ten minutes ahead and behind.
func replicaClockIsWrong(tr *trial) {
	dir := workDir(tr)
	units, err := os.ReadFile("../../models/units.go")
	tr.try(err)
	const now = "time.Now().UTC()"
	if strings.Count(string(units), now) != 1 {
		tr.Fatalf("models/units.go has %s not once", now)
	}
	changed := strings.Replace(string(units), now, now+".Add(offset)", 1) + `
var offset, _ = time.ParseDuration(os.Getenv("CLOCK_OFFSET"))
`
	changed = strings.Replace(changed, "import (", "import (\n\t\"os\"", 1)
	source, err := filepath.Abs("../../models/units.go")
	tr.try(err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: filepath.Join(dir, "units.go")}})
	tr.try(err)
	for name, text := range map[string]string{"units.go": changed, "overlay.json": string(overlay)} {
		tr.try(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	program := filepath.Join(dir, "credits")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program,
		"../..").CombinedOutput(); err != nil {
		tr.Fatalf("build: %v\n%s", err, out)
	}
	for _, offset := range []string{"10m", "-10m"} {
		fx := tr.fixture()
		f := newFleet(tr, 1, append(fx.env(), "CLOCK_OFFSET="+offset)...)
		f.program = program
		f.ports, f.sites = append(f.ports, freePort(tr)), append(f.sites, nil)
		f.start(1)
		l := newLoad(tr, fx, f.origins(), "400")
		l.workAndWatch(fx.users[0], 1)
	}
}

// workAndWatch lets clients work, and checks that a hold of a minute stays open meanwhile, and that as many replicas
// as expected report the clock.
func (l *load) workAndWatch(user int64, reporting int) {
	l.tr.Helper()
	var hold struct{ HoldID, Status string }
	body := l.repeat(l.post("/api/credits/holds", "a minute",
		fmt.Sprintf(`{"userId":%d,"feature":"job_match","ttlSeconds":60}`, user)))
	if err := json.Unmarshal(body, &hold); err != nil {
		l.tr.failf("hold: %s", body)
	}
	l.start(8)
	l.during(4 * time.Second)
	dbtest.Eventually(l.tr, fmt.Sprintf("%d replicas report clock_differs", reporting), func() bool {
		reports := 0
		for _, origin := range l.origins {
			if _, text := request(l.tr, http.DefaultClient, "GET", origin+"/readyz", "", nil); strings.Contains(text,
				"clock_differs") {
				reports++
			}
		}
		return reports == reporting
	})
	capture := "/api/credits/holds/" + hold.HoldID + "/capture"
	l.count(l.once(l.post(capture, "", ""), l.origins[len(l.origins)-1])) // the replica whose clock is wrong, if one's is
	l.move(user, capture, "", "")
	l.finish()
}

// stripeFaults are what goes wrong between us and Stripe. Each gets the request and Stripe's own answer to it. A panic
// with ErrAbortHandler is how net/http closes a connection without an answer.
var stripeFaults = []struct {
	name   string
	answer func(w http.ResponseWriter, r *http.Request, stripe http.Handler)
}{
	{"away", func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }},
	{"500", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		http.Error(w, `{"error":{"type":"api_error","message":"down"}}`, http.StatusInternalServerError)
	}},
	{"429", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		http.Error(w, `{"error":{"type":"invalid_request_error","code":"rate_limit","message":"slow down"}}`,
			http.StatusTooManyRequests)
	}},
	{"hangs", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection is not noticed
		<-r.Context().Done()
	}},
	{"answer lost", func(w http.ResponseWriter, r *http.Request, stripe http.Handler) {
		if r.URL.Path != "/v1/checkout/sessions" { // the customer comes first
			stripe.ServeHTTP(w, r)
			return
		}
		stripe.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}},
}

// stripeFails orders a package while Stripe fails, and again when it works: one Checkout Session in the end.
func stripeFails(tr *trial) {
	s := startOutageSite(tr.T)
	for i, fault := range stripeFaults {
		v := newVisitor(s.site, "de")
		v.signInAs(fmt.Sprintf("buyer%d@example.com", i))
		v.open("/de/purchase")
		page := v.at
		first, again := v.form("#place-order"), v.form("#place-order")
		s.fault.Store(&fault.answer)
		began := time.Now()
		v.show(first)
		took := time.Since(began)
		s.fault.Store(nil)
		tr.notef("%s: %d after %.1f s", fault.name, v.status, took.Seconds())
		tr.atMost("Stripe "+fault.name+": the answer", took, 10*time.Second)
		if v.status != http.StatusServiceUnavailable && v.status != http.StatusTooManyRequests ||
			v.doc.Find("html").AttrOr("lang", "") != "de" {
			tr.failf("Stripe %s: status %d in %q, want 503 in German: %.200s", fault.name, v.status,
				v.doc.Find("html").AttrOr("lang", ""), v.text("body"))
		}
		v.at = page
		v.show(again)
		if !strings.Contains(v.at.Path, "/c/pay/") {
			tr.failf("Stripe %s: the same form leads to %s (status %d), want Checkout", fault.name, v.at, v.status)
		}
		var orders, sessions int64
		tr.try(s.db.Raw(`SELECT count(*) FROM purchases`).Scan(&orders).Error)
		tr.try(s.db.Raw(`SELECT count(*) FROM stripe_sandbox.objects WHERE kind = 'checkout.session'`).Scan(&sessions).Error)
		if want := int64(i + 1); orders != want || sessions != want {
			tr.failf("Stripe %s: %d purchases and %d Checkout Sessions so far, want %d each", fault.name, orders, sessions, want)
		}
	}
}
