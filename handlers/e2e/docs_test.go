package e2e

import (
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The API's page is reached from every page's foot, reads on a phone too, and is accessible.
func TestDocsInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t, "DATABASE_URL="+dbtest.Empty(t))
	for _, c := range []struct {
		locale        string
		width, height int
	}{{"en", 1280, 900}, {"de", 375, 812}} {
		t.Run(fmt.Sprintf("%s at %d px", c.locale, c.width), func(t *testing.T) {
			b := newBrowser(t, s, c.locale, c.width, c.height)
			b.open("/" + c.locale)
			b.press("#api-docs")
			b.see("#spendCredits", "Spend credits on a feature")
			b.press(`#calls a[href="#spendCredits"]`)
			b.press("#spendCredits summary")
			b.see("#spendCredits details[open]", "INSUFFICIENT_CREDITS")
			b.check("docs", "/"+c.locale+"/api/docs")
		})
	}
}
