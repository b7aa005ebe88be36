package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// An admin changes a price and adds a feature; users see both, spend on the new one, and find it in their history.
func TestFeaturesByAnAdmin(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	s := start(t, database)
	admin := newVisitor(s, "de")
	admin.t = t
	admin.signIn("#demo-admin")
	admin.open("/de/admin")
	admin.click(`main nav a[href$="/admin/features"]`)
	admin.submit("#feature-submit", "feature", "Cover Letter", "credits", "3", "label_en", "Cover letter", "label_de",
		"Anschreiben <b>", "active", "on")
	if admin.status != http.StatusUnprocessableEntity || admin.text("#feature-error") == "" ||
		admin.find("#label_de").AttrOr("value", "") != "Anschreiben <b>" {
		t.Errorf("name with capitals: status %d, want 422 and the input kept: %s", admin.status, admin.text("main"))
	}
	admin.submit("#feature-submit", "feature", "cover_letter")
	if !strings.Contains(admin.text("#flash"), "gespeichert") ||
		!strings.Contains(admin.text("main tbody"), "Anschreiben <b>") {
		t.Fatalf("adding a feature leads to %s (status %d): %s", admin.at, admin.status, admin.text("main"))
	}
	admin.click("#edit-job_match")
	if admin.find("#credits").AttrOr("value", "") != "5" {
		t.Errorf("price form = %s, want 5 credits", admin.text("#feature-form"))
	}
	admin.submit("#feature-submit", "credits", "7")
	if !strings.Contains(admin.text("#flash"), "gespeichert") {
		t.Errorf("changing a price leads to %s (status %d): %s", admin.at, admin.status, admin.text("main"))
	}
	admin.open("/de/admin/audit")
	if text := admin.text("main tbody"); !strings.Contains(text, "Funktion geändert") ||
		!strings.Contains(text, "Credits zuvor") {
		t.Errorf("audit log = %s, want the change and the old price", text)
	}
	admin.open("/de/admin/features?edit=unknown")
	if admin.status != http.StatusNotFound {
		t.Errorf("unknown feature: status %d, want 404", admin.status)
	}

	v := newVisitor(s, "en")
	v.t = t
	v.signIn("#demo-user")
	if _, code := command(t, []string{database}, "grant", "--email", "demo@example.com", "--credits", "100", "--note",
		"test"); code != 0 {
		t.Fatalf("grant: exit status %d, want 0", code)
	}
	v.open("/en/billing")
	if text := v.text("main"); !strings.Contains(text, "Cover letter") || !strings.Contains(text, "7 credits") {
		t.Errorf("billing page = %s, want the new feature and price", text)
	}
	v.spend("cover_letter")
	v.open("/en/history")
	if text := v.text("main tbody tr"); !strings.Contains(text, "Cover letter") || !strings.Contains(text, "3") ||
		strings.Contains(text, "MISSING") {
		t.Errorf("history = %s, want the new feature for 3 credits", text)
	}
}

// The features page fits the window and is accessible, also with an error in its form.
func TestFeaturesInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range views(englishDesktop) {
		t.Run(c.String(), func(t *testing.T) {
			b := newBrowser(t, s, c)
			b.expectRefusals = true
			b.open("/" + c.locale + "/login")
			b.click("#sign-in-oidc")
			b.click("#demo-admin")
			b.waitForText("#balance", "")
			page := "/" + c.locale + "/admin/features"
			b.open(page)
			b.check("admin-features", page)
			b.click("#edit-resume_improvement")
			b.waitForText("#feature-form", "resume_improvement")
			b.check("admin-features-change", page)
			b.open(page)
			b.run("fill in", chromedp.SetValue("#feature", "Not So", chromedp.ByQuery),
				chromedp.SetValue("#credits", "3", chromedp.ByQuery),
				chromedp.SetValue("#label_en", "x", chromedp.ByQuery), chromedp.SetValue("#label_de", "y", chromedp.ByQuery))
			b.click("#feature-submit")
			b.waitForText("#feature-error", "")
			b.check("admin-features-invalid", page)
		})
	}
}
