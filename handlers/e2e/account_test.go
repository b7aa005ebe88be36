package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// A user without JavaScript links a second sign-in, buys, spends, exports the data and deletes the account. Afterwards
// no table names the user, Stripe's customer is deleted, and signing in again makes a new account.
func TestAccountFromLinkToDeletion(t *testing.T) {
	t.Parallel()
	for locale, words := range map[string]struct{ file, price, row string }{
		"en": {"credits-my-data.zip", "20.00", ",-10,490,"},
		"de": {"credits-meine-daten.zip", "20,00", ";-10;490;"}} {
		t.Run(locale, func(t *testing.T) { deleteAccount(t, locale, words.file, words.price, words.row) })
	}
}

func deleteAccount(t *testing.T, locale, file, price, row string) {
	address := dbtest.URL(t)
	s := start(t, "DATABASE_URL="+address)
	db, err := postgres.Open(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	names := []string{"ada.leaves@example.com", "ada.second@example.com", "Ada Example"}

	v := newVisitor(s, locale)
	v.signInAs("ada.leaves@example.com")
	v.open("/" + locale + "/account")
	v.click("#link-oidc")
	v.submit("#custom-user", "name", "Ada Example", "email", "ada.second@example.com")
	if v.at.Path != "/"+locale+"/account" || v.doc.Find("#sign-ins .lines li").Length() != 2 || v.text("#flash") == "" {
		t.Fatalf("linking leads to %s with sign-ins %q, want the account page with two", v.at, v.text("#sign-ins"))
	}
	v.open("/" + locale + "/purchase?package=500")
	v.submit("#place-order", "quantity", "1")
	v.submit("#pay")
	s.waitForOutput("credits moved")
	v.spend("resume_analysis")
	if v.balance() != "490" {
		t.Fatalf("balance = %s credits, want 490", v.balance())
	}
	res, body := request(t, v.client, "GET", s.url+"/"+locale+"/account/export.zip", "", nil)
	archive, err := zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body)))
	if err != nil || !strings.Contains(res.Header.Get("Content-Disposition"), file) {
		t.Fatalf("export: status %d, disposition %s (%v)", res.StatusCode, res.Header.Get("Content-Disposition"), err)
	}
	for name, want := range map[string]string{"csv/purchases.csv": price, "json/sign-ins.json": names[1],
		"csv/transactions.csv": row, "json/transactions.json": `"deltaCredits":500`} {
		in, err := archive.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(in); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q (%v): %s", name, want, err, text)
		}
	}
	if traces := dbtest.Traces(t, db, names...); len(traces) < 4 {
		t.Fatalf("columns that name the user before = %v, want at least 4", traces)
	}

	v.open("/" + locale + "/account")
	v.click("#delete")
	v.find("#refundable")
	v.submit("#delete-account")
	if v.status != 422 || v.text("#sure-error") == "" {
		t.Fatalf("unconfirmed deletion: status %d, want 422 with an error", v.status)
	}
	v.submit("#delete-account", "sure", "yes", "refund", "no")
	if v.at.Path != "/"+locale || v.doc.Find("#balance").Length() != 0 || v.text("#flash") == "" {
		t.Fatalf("deletion leads to %s (status %d), want the signed-out landing page", v.at, v.status)
	}
	s.waitForOutput("account erased")
	dbtest.Eventually(t, "no table names the user once Stripe's customer.deleted has arrived", func() bool {
		return len(dbtest.Traces(t, db, names...)) == 0
	})
	dbtest.Eventually(t, "Stripe's customer is deleted", func() bool {
		var customers int64
		if err := db.Raw(`SELECT count(*) FROM stripe_customers WHERE deleted_at IS NULL`).Scan(&customers).
			Error; err != nil {
			t.Fatal(err)
		}
		return customers == 0
	})
	dbtest.CheckLedger(t, db)
	var user models.User
	if err := db.Take(&user).Error; err != nil || user.CreditsBalance != 0 || user.DeleteAfter == nil {
		t.Errorf("user = %+v (%v), want 0 credits and a date to remove it", user, err)
	}
	var kept int64
	if err := db.Raw(`SELECT count(*) FROM purchases WHERE status = 'paid' AND paid_cents = 2000`).Scan(&kept).
		Error; err != nil || kept != 1 {
		t.Errorf("%d paid purchases kept, want 1 (%v)", kept, err)
	}

	v.signInAs("ada.leaves@example.com")
	if v.balance() != "0" {
		t.Errorf("balance after signing in again = %s credits, want 0", v.balance())
	}
	admin := newVisitor(s, locale)
	admin.signIn("#demo-admin")
	admin.open(fmt.Sprintf("/%s/admin/users/%d", locale, user.ID))
	deleted := map[string]string{"en": "Deleted account", "de": "Gelöschtes Konto"}[locale]
	if !strings.Contains(admin.text("#deleted"), deleted) || admin.doc.Find("#grant-submit").Length() != 0 {
		t.Errorf("admin's page of the deleted account shows addresses %q, want the deletion and no grant form",
			admin.text("#emails"))
	}
}
