package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The sandbox lets anyone sign in as anyone, so it answers this machine only, and it occupies both loopback addresses
// so that no other program can answer in its place.
func TestSandboxListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	s := start(t)
	var port int
	if _, err := fmt.Sscanf(s.url, "http://localhost:%d", &port); err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP
		if ip.IsLinkLocalUnicast() {
			continue // needs a zone
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), fmt.Sprint(port)))
		if (err == nil) != ip.IsLoopback() {
			t.Errorf("dial %s: error %v, want it open if and only if loopback", ip, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if both, err := net.Listen("tcp", net.JoinHostPort("::1", fmt.Sprint(port))); err == nil {
		both.Close()
		t.Error("another program can listen on ::1, want the port taken")
	}
}

// A misspelled Stripe key does not start the sandbox beside production settings.
func TestSandboxRefusesProductionSettings(t *testing.T) {
	t.Parallel()
	database := dbtest.Empty(t)
	env := []string{"STRIPE_SECRET_KEYS=sk_live_9aFq2LmZ", "APP_URL=https://credits.example.com",
		"DATABASE_URL=" + database, "GOOGLE_CLIENT_ID=a1",
		"GOOGLE_CLIENT_SECRET=b2", "STRIPE_WEBHOOK_SECRET=whsec_7Yt3kPwQ", "SESSION_SECRET=6d0c1f7be2a94c58b3e1907f5a2d8c46"}
	for _, name := range []string{"serve", "migrate", "reconcile"} {
		out, code := command(t, env, name)
		if code != 1 || !strings.Contains(out, "did you mean STRIPE_SECRET_KEY?") {
			t.Errorf("credits %s: exit status %d, want 1 and the right name:\n%s", name, code, out)
		}
		for _, setting := range []string{"APP_URL", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "STRIPE_WEBHOOK_SECRET",
			"SESSION_SECRET"} {
			if !strings.Contains(out, "\n  "+setting+" ") {
				t.Errorf("credits %s: output lacks %s:\n%s", name, setting, out)
			}
		}
	}
}

// The sandbox includes a Resume Matcher, unless the operator has one. It stops after the server, which lets a charged
// request finish.
func TestSandboxIncludesResumeMatcher(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	g := &gateFixture{fixture: &fixture{db: db, url: dbtest.URLOf(db)}}
	s := start(t, "DATABASE_URL="+g.url)
	v := g.newUser(s, 100)
	control := v.find("#control").AttrOr("href", "")
	if !strings.Contains(s.out.String(), control) {
		t.Errorf("start-up output lacks %s:\n%s", control, s.out)
	}
	post := func(form string) *http.Response {
		t.Helper()
		res, _ := request(t, http.DefaultClient, http.MethodPost, control, form,
			map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
		return res
	}
	if res := post("transport=slow"); res.StatusCode != http.StatusOK {
		t.Fatalf("control page: status %d, want 200", res.StatusCode)
	}
	answered := make(chan matcherAnswer, 1)
	go func() { answered <- v.post("/resumes/upload", resumeFile) }()
	dbtest.Reaches(t, "credits held by the upload", func() int64 {
		return g.count(t, `SELECT credits_held FROM users WHERE id = ?`, g.userID(t))
	}, 10)
	s.terminate()
	s.waitForOutput("stopping")
	var answer matcherAnswer
	dbtest.Eventually(t, "the upload is answered", func() bool {
		select {
		case answer = <-answered:
			return true
		default: // The upload may not have reached Resume Matcher when it was last told to go on.
			if res, err := http.DefaultClient.PostForm(control, url.Values{"release": {"1"}}); err == nil {
				res.Body.Close()
			}
			return false
		}
	})
	if answer.status != http.StatusOK {
		t.Errorf("upload: status %d (%v), %s; want 200", answer.status, answer.err, answer.text)
	}
	s.stop()
	g.wantCredits(t, "after the stop", 90, 0)
	if u, err := url.Parse(control); err != nil {
		t.Error(err)
	} else if conn, err := net.Dial("tcp", u.Host); err == nil {
		conn.Close()
		t.Error("the stand-in accepts connections after the server's end")
	}

	own := newVisitor(start(t, newGateFixture(t).env...), "en")
	if own.signInAs("ada@example.com"); own.doc.Find("#control").Length() != 0 {
		t.Error("the sandbox in front of the operator's Resume Matcher leads to a stand-in")
	}
}

// Each stand-in leads back to our own pages, not to Resume Matcher, which is at the same address; and who breaks a
// delivery is led to the purchase that shows the effect.
func TestStandInsLeadBack(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{"de", "en"} {
		v := newVisitor(start(t), locale)
		v.t = t
		v.open("/" + locale + "/login")
		v.click("#sign-in-oidc")
		if v.click("#product"); v.at.Path != "/"+locale {
			t.Errorf("the sign-in stand-in leads back to %s, want the first page", v.at)
		}
		v.signIn("#demo-user")
		for i := range v.find("#sandbox").Find("a").Length() - 1 { // the last leads to Resume Matcher’s
			v.open("/" + locale + "/billing")
			link, _ := v.find("#sandbox").Find("a").Eq(i).Attr("href")
			v.open(link)
			if v.click("#product"); v.status != 200 || v.doc.Find(`header nav a[href="/`+locale+`/billing"]`).Length() != 1 {
				t.Errorf("%s leads back to %s (status %d), want a page of ours", link, v.at, v.status)
			}
		}
		v.open(v.sandboxOrigin() + "/dashboard/delivery")
		v.submit("#try-lose")
		if v.click("#buy"); v.at.Path != "/"+locale+"/purchase" || v.doc.Find("#place-order").Length() != 1 {
			t.Errorf("after the delivery is broken, the link leads to %s, want the packages", v.at)
		}
	}
}
