package views_test

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// Stored causes are codes, shown in the reader's language.
func TestCausesAreInGerman(t *testing.T) {
	t.Parallel()
	_, doc := document(t, samplePage("de"), pages.AdminPurchase(adminPurchase("de")))
	text := doc.Find("#requests").Text()
	for _, want := range []string{"Die Bank des Käufers hat das Geld zurückgebucht",
		"Stripe hat die Anfrage abgelehnt: charge_disputed"} {
		if !strings.Contains(text, want) {
			t.Errorf("refused refund = %q, want it to contain %q", text, want)
		}
	}
	for cause, want := range map[models.Cause]string{
		models.CauseNoAnswer:            "Stripe hat nicht rechtzeitig geantwortet.",
		models.CauseStripe.Of("503"):    "Stripe hat mit Status 503 geantwortet.",
		models.CauseInterrupted:         "Der Server wurde in der Zwischenzeit beendet.",
		models.CauseUnknown.Of("<odd>"): "Fehler: <odd>",
		"code_of_a_later_release":       "code_of_a_later_release",
	} {
		stopped := reconciled("de", func(r *models.Reconciliation) { r.LastError = cause })
		_, doc := document(t, samplePage("de"), pages.AdminEvents(stopped))
		if text := doc.Find("#reconciliation-state").Text(); !strings.Contains(text, want) {
			t.Errorf("run stopped by %q = %q, want it to contain %q", cause, text, want)
		}
	}
}
