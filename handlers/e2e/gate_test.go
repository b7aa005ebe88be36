package e2e

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

type fields = map[string]any

// In front of Resume Matcher, a user signs in, runs out of credits, buys some, has a resume analysed and improved and a
// letter written, and finds it in the history; in both languages.
func TestResumeMatcherJourney(t *testing.T) {
	t.Parallel()
	g := newGateFixture(t)
	s := start(t, g.env...)
	for locale, sentence := range map[string]string{"en": "Not enough credits", "de": "Nicht genug Credits"} {
		t.Run(locale, func(t *testing.T) {
			v := newVisitor(s, locale)
			v.t = t
			v.open("/dashboard")
			if v.at.Path != "/"+locale+"/login" {
				t.Fatalf("/dashboard leads to %s, want the sign-in page", v.at)
			}
			v.click(`a[href^="/auth/oidc"]`)
			v.submit("#custom-user", "name", "Ada Example", "email", locale+"@example.com")
			if v.at.Path != "/dashboard" || v.status != http.StatusOK {
				t.Fatalf("sign-in leads to %s (status %d), want /dashboard", v.at, v.status)
			}
			v.wantShortage("/resumes/upload", resumeFile, sentence)
			v.buy("100")
			letter := v.improveResume()
			for left := 70; left > 0; left -= 5 {
				v.mustPost(http.StatusOK, letter, "")
			}
			v.wantShortage(letter, "", sentence)
			v.buy("100")
			v.mustPost(http.StatusOK, letter, "")
			v.open("/" + locale + "/billing")
			v.wantBalance("95")
			v.open("/dashboard")
			if v.status != http.StatusOK {
				t.Errorf("/dashboard after buying: status %d, want 200", v.status)
			}
		})
	}
	dbtest.CheckLedger(t, g.db)
}

// wantShortage posts what the user cannot pay, and wants the sentence and the link to the packages.
func (v *visitor) wantShortage(path, body, sentence string) {
	v.t.Helper()
	refusal := v.mustPost(http.StatusPaymentRequired, path, body)
	if detail, _ := refusal["detail"].(string); !strings.HasPrefix(detail, sentence) {
		v.t.Errorf("POST %s without credits: %q, want %q", path, detail, sentence)
	}
	purchase, _ := refusal["error"].(fields)["detail"].(fields)["purchaseUrl"].(string)
	if !strings.Contains(purchase, "/"+v.locale+"/purchase") {
		v.t.Errorf("POST %s without credits: purchaseUrl = %q, want the packages", path, purchase)
	}
}

// improveResume uses 30 of 100 credits: an analysis, a preview with its three confirmations, and a letter, whose path
// it returns.
func (v *visitor) improveResume() (letter string) {
	v.t.Helper()
	resume := v.mustPost(http.StatusOK, "/resumes/upload", resumeFile)["resume_id"]
	v.open("/" + v.locale + "/billing")
	v.wantBalance("90")
	job := v.mustPost(http.StatusOK, "/jobs/upload",
		fields{"job_descriptions": []string{"Go engineer"}, "resume_id": resume})["job_id"].([]any)[0]
	preview := v.mustPost(http.StatusOK, "/resumes/improve/preview", fields{"resume_id": resume, "job_id": job})
	confirm := fields{"resume_id": resume, "job_id": job, "improvements": []any{},
		"improved_data": preview["data"].(fields)["resume_preview"]}
	var tailored string
	for range 3 {
		tailored, _ = v.mustPost(http.StatusOK, "/resumes/improve/confirm", confirm)["data"].(fields)["resume_id"].(string)
	}
	v.mustPost(http.StatusConflict, "/resumes/improve/confirm", confirm)
	v.open("/" + v.locale + "/billing")
	v.wantBalance("75")
	letter = "/resumes/" + tailored + "/generate-cover-letter"
	v.mustPost(http.StatusOK, letter, "")
	v.open("/" + v.locale + "/history")
	v.wantBalance("70")
	if rows := v.doc.Find("#movements table tbody tr").Length(); rows != 4 {
		v.t.Errorf("history shows %d entries, want 4: purchase, analysis, improvement, letter", rows)
	}
	return letter
}

// After SIGTERM the server lets a charged request finish, and captures its credits.
func TestStopWhileResumeMatcherWorks(t *testing.T) {
	t.Parallel()
	g := newGateFixture(t)
	s := start(t, g.env...)
	v := g.newUser(s, 100)
	g.matcher.SetTransport(resumematcher.Slow)
	answered := g.begin(v)
	s.terminate()
	s.waitForOutput("stopping")
	g.wantCredits(t, "while Resume Matcher works", 100, 10)
	g.matcher.Release()
	if answer := <-answered; answer.status != http.StatusOK {
		t.Errorf("status %d (%v), %s; want 200", answer.status, answer.err, answer.text)
	}
	s.stop()
	g.wantCredits(t, "after the stop", 90, 0)
}

// A server that dies during a charged request holds the credits until the hold's time is over; then they are free, and
// the next try works.
func TestKilledWhileResumeMatcherWorks(t *testing.T) {
	t.Parallel()
	g := newGateFixture(t)
	port := freePort(t)
	s := startOn(t, port, g.dir, g.env...)
	v := g.newUser(s, 10)
	g.matcher.SetTransport(resumematcher.Slow)
	answered := g.begin(v)
	s.kill()
	if answer := <-answered; answer.err == nil {
		t.Errorf("status %d from a dead server, want none", answer.status)
	}
	g.matcher.SetTransport(resumematcher.Normal)
	g.matcher.Release()
	startOn(t, port, g.dir, g.env...)
	g.wantCredits(t, "after the restart", 10, 10)
	if answer := v.post("/resumes/upload", resumeFile); answer.status != http.StatusConflict ||
		!strings.Contains(answer.text, "REQUEST_IN_PROGRESS") {
		t.Errorf("a try during the hold: status %d, %s; want 409", answer.status, answer.text)
	}
	g.exec(t, `UPDATE holds SET expires_at = now()`)
	dbtest.Reaches(t, "held credits", func() int64 { return g.count(t, `SELECT sum(credits_held) FROM users`) }, 0)
	g.wantCredits(t, "after the hold's time", 10, 0)
	v.mustPost(http.StatusOK, "/resumes/upload", resumeFile)
	g.wantCredits(t, "after the next try", 0, 0)
}

// Twenty requests at once at two replicas, with credits for five: five are served and paid.
func TestResumeMatcherRaces(t *testing.T) {
	t.Parallel()
	g := newGateFixture(t)
	first := startIn(t, g.dir, g.env...)
	second := startIn(t, g.dir, g.env...)
	v := g.newUser(first, 50)
	other := *v // with the same cookies
	other.site = second
	var served, short atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		for {
			answer := []*visitor{v, &other}[i%2].post("/resumes/upload", resumeFile)
			switch {
			case answer.status == http.StatusConflict && strings.Contains(answer.text, "REQUEST_IN_PROGRESS"):
				continue
			case answer.status == http.StatusOK:
				served.Add(1)
			case answer.status == http.StatusPaymentRequired:
				short.Add(1)
			default:
				t.Errorf("status %d (%v), %s; want 200, 402 or 409", answer.status, answer.err, answer.text)
			}
			return
		}
	})
	if served.Load() != 5 || short.Load() != 15 {
		t.Errorf("%d were served and %d refused, want 5 and 15", served.Load(), short.Load())
	}
	g.wantCredits(t, "after twenty requests", 0, 0)
}
