package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// An admin changes a price and adds a feature; users see both, can spend on it, and read its name in their history, all
// with JavaScript off.
func TestFeaturesByAnAdmin(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	s := start(t, database)
	boss := newVisitor(s, "de")
	boss.t = t
	boss.signIn("#demo-admin")
	boss.open("/de/admin")
	boss.click(`main nav a[href$="/admin/features"]`)
	boss.submit("#feature-submit", "feature", "Cover Letter", "credits", "3", "label_en", "Cover letter", "label_de", "Anschreiben <b>", "active", "on")
	if boss.status != http.StatusUnprocessableEntity || boss.text("#feature-error") == "" || boss.find("#label_de").AttrOr("value", "") != "Anschreiben <b>" {
		t.Errorf("a name with capitals: %d %s", boss.status, boss.text("main"))
	}
	boss.submit("#feature-submit", "feature", "cover_letter")
	if !strings.Contains(boss.text("#flash"), "gespeichert") || !strings.Contains(boss.text("main tbody"), "Anschreiben <b>") {
		t.Fatalf("adding leads to %s (%d): %s", boss.at, boss.status, boss.text("main"))
	}
	boss.click("#edit-job_match")
	if boss.find("#credits").AttrOr("value", "") != "5" {
		t.Errorf("the form to change a price shows %s", boss.text("#feature-form"))
	}
	boss.submit("#feature-submit", "credits", "7")
	if !strings.Contains(boss.text("#flash"), "gespeichert") {
		t.Errorf("changing leads to %s (%d): %s", boss.at, boss.status, boss.text("main"))
	}
	boss.open("/de/admin/audit")
	if text := boss.text("main tbody"); !strings.Contains(text, "Funktion geändert") || !strings.Contains(text, "Credits zuvor") {
		t.Errorf("the audit log says %s", text)
	}
	boss.open("/de/admin/features?edit=unknown")
	if boss.status != http.StatusNotFound {
		t.Errorf("a feature that does not exist: %d", boss.status)
	}

	v := newVisitor(s, "en")
	v.t = t
	v.signIn("#demo-user")
	if _, code := command(t, []string{database}, "grant", "--email", "demo@example.com", "--credits", "100", "--note", "test"); code != 0 {
		t.Fatalf("grant ends with %d", code)
	}
	v.open("/en/billing")
	if text := v.text("main"); !strings.Contains(text, "Cover letter") || !strings.Contains(text, "7 credits") {
		t.Errorf("billing says %s", text)
	}
	v.submit("#spend-cover_letter")
	v.open("/en/history")
	if text := v.text("main tbody tr"); !strings.Contains(text, "Cover letter") || !strings.Contains(text, "3") || strings.Contains(text, "MISSING") {
		t.Errorf("the history says %s", text)
	}
}

// The page of features in a real browser: it fits, also with an error in the form.
func TestFeaturesInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range views(englishDesktop) {
		t.Run(c.String(), func(t *testing.T) {
			b := newBrowser(t, s, c)
			b.refused = true
			b.open("/" + c.locale + "/login")
			b.press("#sign-in-oidc")
			b.press("#demo-admin")
			b.see("#balance", "")
			page := "/" + c.locale + "/admin/features"
			b.open(page)
			b.check("admin-features", page)
			b.press("#edit-resume_improvement")
			b.see("#feature-form", "resume_improvement")
			b.check("admin-features-change", page)
			b.open(page)
			b.do("fill in", chromedp.SetValue("#feature", "Not So", chromedp.ByQuery), chromedp.SetValue("#credits", "3", chromedp.ByQuery),
				chromedp.SetValue("#label_en", "x", chromedp.ByQuery), chromedp.SetValue("#label_de", "y", chromedp.ByQuery))
			b.press("#feature-submit")
			b.see("#feature-error", "")
			b.check("admin-features-invalid", page)
		})
	}
}
