package e2e

import (
	"testing"
)

// The API page is linked in every footer, fits a phone, and is accessible.
func TestDocsInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range views(germanPhone) {
		t.Run(c.String(), func(t *testing.T) {
			b := newBrowser(t, s, c)
			b.open("/" + c.locale)
			b.click("#api-docs")
			b.waitForText("#spendCredits", "Spend credits on a feature")
			b.click(`#calls a[href="#spendCredits"]`)
			b.click("#spendCredits summary")
			b.waitForText("#spendCredits details[open]", "INSUFFICIENT_CREDITS")
			b.check("docs", "/"+c.locale+"/api/docs")
		})
	}
}
