package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// startOnTwoHosts runs a server whose Resume Matcher has a host of its own, and returns that host's origin.
func (g *gateFixture) startOnTwoHosts(t *testing.T) (s *site, resumes string) {
	t.Helper()
	port := freePort(t)
	resumes = fmt.Sprintf("http://resumes.localhost:%d", port)
	return startOn(t, port, g.dir, append(g.env, "RESUME_MATCHER_PUBLIC_URL="+resumes)...), resumes
}

// attack is a script in one of Resume Matcher's pages that tries to read our pages and to spend at our API. It returns
// what it has read.
const attack = `(async () => {
	const read = [];
	for (const origin of ["", %q]) for (const [path, init] of [
		["/en/account", {}], ["/en/billing", {}], ["/api/credits/balance", {}], ["/nowhere", {}],
		["/api/credits/spend", {method: "POST", body: '{"feature":"job_match","metadata":{}}', headers: {"Content-Type": "application/json", "Idempotency-Key": "x"}}],
		["/api/credits/spend", {method: "POST", body: '{"feature":"job_match","metadata":{}}', mode: "no-cors"}],
		["/en/account", {method: "POST", body: new URLSearchParams({name: "Eve", locale: "en"}), mode: "no-cors"}],
	]) {
		try {
			const answer = await fetch(origin + path, {credentials: "include", ...init});
			read.push(answer.status + " " + await answer.text());
		} catch {}
	}
	return read.join("\n");
})()`

// On its own host Resume Matcher works as on ours: a visitor signs in, sees the balance, and is led to our host to buy.
// A script in its pages reads nothing of the account, changes nothing and spends nothing.
func TestResumeMatcherOnItsOwnHostInTheBrowser(t *testing.T) {
	t.Parallel()
	g := newGateFixture(t)
	s, resumes := g.startOnTwoHosts(t)
	b := newBrowser(t, s, view{"en", 1280, 800})
	b.run("open Resume Matcher", chromedp.Navigate(resumes+"/tailor"))
	b.click("#sign-in-oidc")
	b.waitForText("#custom-user", "")
	b.run("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"),
		chromedp.SetValue(`input[name="email"]`, "ada@example.com"))
	b.click("#custom-user [type=submit]")
	b.waitUntil("Resume Matcher's page", fmt.Sprintf(`location.href === %q`, resumes+"/tailor"))
	b.inShadow("the balance", `details summary`, "0 credits")
	b.check("gate-own-host", "/tailor")

	g.grantCredits(t, 10, g.userID(t))
	b.expectRefusals = true
	var read string
	b.run("attack", chromedp.Evaluate(fmt.Sprintf(attack, s.url), &read, await))
	if !strings.Contains(read, "404 ") {
		t.Errorf("the script read %q, want the 404 of its own host", read)
	}
	for _, secret := range []string{"200 ", "201 ", "_csrf", "X-CSRF-Token", "Ada Example", "ada@example.com"} {
		if strings.Contains(read, secret) {
			t.Errorf("a script in the page read %q: %.500s", secret, read)
		}
	}
	g.wantCredits(t, "after the attack", 10, 0)
	if n := g.count(t, `SELECT count(*) FROM users WHERE name = 'Ada Example'`); n != 1 {
		t.Errorf("%d users are called Ada Example after the attack, want 1", n)
	}

	b.run("ask for what ten credits do not pay", chromedp.Evaluate(
		`void fetch("/api/v1/resumes/improve/preview", {method: "POST", body: '{"resume_id":"1","job_id":"1"}', headers: {"Content-Type": "application/json"}})`, nil))
	b.inShadow("the dialog", `dialog[open]`, "15 credits")
	b.waitUntil("the way to buy leads to our host", fmt.Sprintf(
		`document.querySelector("credits-balance").shadowRoot.querySelector("a.buy").href.startsWith(%q)`, s.url+"/en/purchase"))
	dbtest.CheckLedger(t, g.db)
}

// Without JavaScript, over plain HTTP: both hosts work with a browser's own way through redirects, and what ends the
// session at our host ends it at Resume Matcher's.
func TestResumeMatcherOnItsOwnHost(t *testing.T) {
	t.Parallel()
	g := newGateFixture(t)
	port := freePort(t)
	resumes := fmt.Sprintf("http://127.0.0.1:%d", port)
	s := startOn(t, port, g.dir, append(g.env, "RESUME_MATCHER_PUBLIC_URL="+resumes)...)
	v := newVisitor(s, "en")
	v.open(resumes + "/tailor?from=mail")
	v.click(`a[href^="/auth/oidc"]`)
	v.submit("#custom-user", "name", "Ada Example", "email", "ada@example.com")
	if v.at.String() != resumes+"/tailor?from=mail" || v.status != http.StatusOK {
		t.Fatalf("sign-in leads to %s (status %d), want Resume Matcher's page", v.at, v.status)
	}
	v.open("/en/billing")
	v.click("#resume-matcher")
	if v.at.String() != resumes+"/" || v.status != http.StatusOK {
		t.Errorf("the billing page leads to %s (status %d), want Resume Matcher", v.at, v.status)
	}
	v.open("/en/account")
	if n := v.doc.Find("#sessions li").Length(); n != 1 {
		t.Errorf("the account lists %d browsers, want 1", n)
	}
	v.submit("#sign-out")
	v.open(resumes + "/dashboard")
	if v.at.Path != "/en/login" || v.at.Host != fmt.Sprintf("localhost:%d", port) {
		t.Errorf("after the sign-out Resume Matcher leads to %s, want our sign-in page", v.at)
	}
	out, code := command(t, append(g.env, fmt.Sprintf("PORT=%d", port), "RESUME_MATCHER_PUBLIC_URL="+resumes), "doctor")
	if code != 0 || !strings.Contains(out, "have their own host, "+resumes) {
		t.Errorf("doctor: exit status %d, want 0 and the line about the host:\n%s", code, out)
	}
	out, code = command(t, append(g.env, "RESUME_MATCHER_PUBLIC_URL=http://localhost:1"), "serve")
	if code != 1 || !strings.Contains(out, "RESUME_MATCHER_PUBLIC_URL must be another host") {
		t.Errorf("serve with our own host: exit status %d, want 1 and a sentence:\n%s", code, out)
	}
}
