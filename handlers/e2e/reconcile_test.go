package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The events of a payment and of a partial refund never arrive. Reconciling books both, once.
func TestReconcileOnTheCommandLine(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	s := start(t, database)
	v := newVisitor(s, "en")
	v.signInAs("ada@example.com")
	standIn := v.sandboxOrigin()
	control(t, standIn+"/control/delivery", "mode=dropped&redirect_first=true")

	v.open("/en/purchase?package=500")
	v.submit("#place-order", "quantity", "1")
	// the buyer closes the tab
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v.submit("#pay")
	v.client.CheckRedirect = nil
	v.open("/en/history")
	v.wantBalance("0")

	env := []string{database}
	out, code := command(t, env, "reconcile")
	if code != 0 || !strings.Contains(out, "paid and not credited, fixed (+500 credits)") {
		t.Fatalf("reconcile: exit status %d, want 0 and the grant: %s", code, out)
	}
	v.open("/en/history")
	v.wantBalance("500")

	v.open(standIn + "/dashboard")
	v.submit("#payments form button", "typed", "5.00")
	v.open("/en/history")
	v.wantBalance("500")
	out, code = command(t, env, "reconcile")
	if code != 0 || !strings.Contains(out, "refund not recorded, fixed (-125 credits)") {
		t.Fatalf("reconcile: exit status %d, want 0 and the refund: %s", code, out)
	}
	v.open("/en/history")
	v.wantBalance("375")
	if out, code = command(t, env, "reconcile"); code != 0 || !strings.Contains(out, "Nothing to fix.") {
		t.Errorf("second reconcile: exit status %d, want 0 and nothing to do: %s", code, out)
	}
	if strings.Contains(s.out.String()+out, "ada@example.com") {
		t.Error("output contains an e-mail address")
	}
}

// sandboxOrigin returns the origin of the Stripe stand-in, from the banner's link.
func (v *visitor) sandboxOrigin() string {
	v.t.Helper()
	href, _ := v.find("#sandbox a").Attr("href")
	origin, _, ok := strings.Cut(href, "/dashboard")
	if !ok {
		v.t.Fatalf("sandbox banner links to %q, want the stand-in's dashboard", href)
	}
	return origin
}

// control posts a form to the stand-in's control API.
func control(t *testing.T, address, form string) {
	t.Helper()
	res, body := request(t, http.DefaultClient, http.MethodPost, address, form, map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json",
	})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, want 200: %s", address, res.StatusCode, body)
	}
}
