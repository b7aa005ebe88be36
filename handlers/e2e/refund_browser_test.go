package e2e

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// In a browser, a refused or conflicting refund form stays in place, and a reconciliation shows its end without a
// reload.
func TestRefundInTheBrowser(t *testing.T) {
	t.Parallel()
	database := dbtest.URL(t)
	s := start(t, "DATABASE_URL="+database)
	db, err := postgres.Open(database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	running, finished := map[string]string{"en": "Running", "de": "Läuft"},
		map[string]string{"en": "Finished", "de": "Abgeschlossen"}
	for i, c := range views(germanPhone) {
		t.Run(c.String(), func(t *testing.T) {
			_, colleague := buyAndSpend(t, s, c.locale, fmt.Sprintf("ada%d@example.com", i))
			page := colleague.at.Path
			b := newBrowser(t, s, c)
			b.expectRefusals = true
			b.open("/" + c.locale + "/login")
			b.click("#sign-in-oidc")
			b.click("#demo-admin")
			b.waitForText("#balance", "")
			b.open(page)
			b.check("admin-purchase", page)

			b.refund("1.234,567")
			b.waitForText("#amount-error", "")
			b.check("admin-purchase-invalid", page)
			colleague.submit("#refund-submit", "amount", "1", "note", "faster")
			b.refund("2")
			b.waitForText("#refund-error", "")
			b.waitUntil("the form in its place",
				`document.querySelectorAll("#amount").length === 1 && !document.querySelector("#flash #amount")`)
			b.check("admin-purchase-conflict", page)
			b.refund("2")
			b.waitForText("#confirm", "")
			b.check("admin-refund-summary", page)
			b.click("#confirm")
			b.waitForText(`#flash [data-variant="success"]`, "")
			b.check("admin-purchase-refunded", page)
			b.click("#rest")
			b.waitForText("#amount", "")
			b.check("admin-purchase-rest", page)
			b.click("#refund-submit") // the browser requires the reason
			b.refund("")
			b.waitForText("#confirm", "")
			b.click("#confirm")
			b.waitForText("#no-refund", "")
			b.check("admin-purchase-returned", page)

			b.open("/" + c.locale + "/admin/events")
			b.click("#reconcile")
			b.waitForText("#flash p", "") // the new page, not the earlier reconciliation
			b.waitForText("#reconciliation-state", finished[c.locale])
			if err := db.Exec(
				`UPDATE reconciliations SET finished_at = NULL, holder = gen_random_uuid(), leased_until = now() + interval '1 hour'
				WHERE id = (SELECT max(id) FROM reconciliations)`).Error; err != nil {
				t.Fatal(err)
			}
			b.open("/" + c.locale + "/admin/events")
			b.waitForText("#reconciliation-state", running[c.locale])
			b.check("admin-events-running", "/admin/events")
			if err := db.Exec(`UPDATE reconciliations SET finished_at = now() WHERE finished_at IS NULL`).Error; err != nil {
				t.Fatal(err)
			}
			b.waitForText("#reconciliation-state", finished[c.locale])
			b.check("admin-events-finished", "/admin/events")
		})
	}
}

// refund fills in the form, leaving out an empty amount, and submits it.
func (b *browser) refund(amount string) {
	b.t.Helper()
	if amount != "" {
		b.run("type the amount", chromedp.SetValue(`#amount`, amount, chromedp.ByQuery))
	}
	b.run("type the reason", chromedp.SetValue(`#note`, "Asked for", chromedp.ByQuery))
	b.click("#refund-submit")
	b.waitUntil("the response", `!document.querySelector("#refund-submit:disabled")`)
}
