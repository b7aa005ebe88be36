package e2e

import (
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// lighthousePackage is the newest version that runs on Node.js 20.
const lighthousePackage = "lighthouse@12.8.2"

// Lighthouse gives the most used pages at least 98 of 100 points in every category. It takes minutes on an idle
// machine, so only make lighthouse runs it.
func TestLighthouse(t *testing.T) {
	if os.Getenv("LIGHTHOUSE") == "" {
		t.Skip("make lighthouse runs this test")
	}
	s := start(t)
	for _, locale := range []string{"en", "de"} {
		v := newVisitor(s, locale)
		v.signInAs(locale + "@example.com")
		v.buy("500")
		v.spend("resume_analysis")
		dir := writeHeaders(t, v)
		for _, page := range []string{"", "/billing", "/purchase", "/history"} {
			t.Run(locale+page, func(t *testing.T) { checkScores(t, dir, s.url+"/"+locale+page) })
		}
	}
}

// writeHeaders writes the visitor's cookies to headers.json, which Lighthouse sends along.
func writeHeaders(t *testing.T, v *visitor) (dir string) {
	t.Helper()
	own, err := url.Parse(v.site.url)
	if err != nil {
		t.Fatal(err)
	}
	var cookies string
	for _, c := range v.client.Jar.Cookies(own) {
		cookies += c.Name + "=" + c.Value + "; "
	}
	dir = workDir(t)
	headers, err := json.Marshal(map[string]string{"Cookie": cookies})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "headers.json"), headers, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkScores runs Lighthouse up to three times and checks the best result: a busy machine only lowers scores.
func checkScores(t *testing.T, dir, address string) {
	t.Helper()
	const least = 98
	best := lighthouse{}
	for range 3 {
		found := runLighthouse(t, dir, address)
		if best.lowest() < found.lowest() {
			best = found
		}
		if best.lowest() >= least {
			break
		}
	}
	for name, category := range best.Categories {
		t.Logf("%s: %.0f", name, category.Score*100)
		if category.Score*100 < least {
			t.Errorf("%s: %.0f points, want at least %d; failed audits: %s", name, category.Score*100, least,
				best.failedAudits(name))
		}
	}
	if len(best.Categories) < 4 {
		t.Errorf("%d categories, want at least 4", len(best.Categories))
	}
}

// lighthouse is Lighthouse's report.
// Units: scores are from 0 to 1.
type lighthouse struct {
	Categories map[string]struct {
		Score     float64
		AuditRefs []struct {
			ID     string
			Weight float64
		}
	}
	Audits map[string]struct{ Score *float64 }
}

// lowest returns the lowest category's points of 100, or -1 without a category.
func (l lighthouse) lowest() float64 {
	if len(l.Categories) == 0 {
		return -1
	}
	lowest := 100.0
	for _, category := range l.Categories {
		lowest = min(lowest, category.Score*100)
	}
	return lowest
}

// failedAudits returns the audits that cost a category points.
func (l lighthouse) failedAudits(category string) []string {
	var failed []string
	for _, ref := range l.Categories[category].AuditRefs {
		if score := l.Audits[ref.ID].Score; ref.Weight > 0 && score != nil && *score < 1 {
			failed = append(failed, ref.ID)
		}
	}
	return failed
}

func runLighthouse(t *testing.T, dir, address string) lighthouse {
	t.Helper()
	run := exec.Command("npx", "--yes", lighthousePackage, address, "--quiet", "--output=json",
		"--output-path="+filepath.Join(dir, "report.json"),
		"--extra-headers="+filepath.Join(dir, "headers.json"),
		"--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage")
	if _, err := os.Stat(debianHeadlessShell); err == nil {
		// a CHROME_PATH in the environment wins
		run.Env = append([]string{"CHROME_PATH=" + debianHeadlessShell}, os.Environ()...)
	}
	out, err := run.CombinedOutput()
	if err != nil { // it can lose the page on a busy machine
		t.Logf("lighthouse: %v\n%s", err, out)
		return lighthouse{}
	}
	raw, err := fs.ReadFile(os.DirFS(dir), "report.json")
	if err != nil {
		t.Fatal(err)
	}
	var found lighthouse
	if err := json.Unmarshal(raw, &found); err != nil {
		t.Fatal(err)
	}
	return found
}
