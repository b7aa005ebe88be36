package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/resume-matcher/credits/models/dbtest"
)

// An admin adds an endpoint. Its program receives a test, a purchase and a spend, each signed with the secret that the
// page has shown once, and the page shows that they arrived.
func TestWebhooksReachTheOperatorsProgram(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies []string
	var key *standardwebhooks.Webhook
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || key.Verify(body, r.Header) != nil {
			t.Errorf("%s does not verify (%v)", body, err)
		}
		bodies = append(bodies, string(body))
	}))
	t.Cleanup(receiver.Close)
	v := newVisitor(start(t), "en")
	v.t = t
	v.signIn("#demo-admin")
	v.open("/en/admin/webhooks")
	first, again := v.form("#add-submit", "url", receiver.URL), v.form("#add-submit", "url", receiver.URL)
	v.show(first)
	secret := v.find("#new-secret").AttrOr("value", "")
	var err error
	mu.Lock()
	key, err = standardwebhooks.NewWebhook(secret)
	mu.Unlock()
	if err != nil || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("secret of %d characters: %v, want whsec_…", len(secret), err)
	}
	if v.show(again); v.doc.Find("#new-secret").Length() != 0 || v.doc.Find("#secret-shown-before").Length() != 1 {
		t.Errorf("the form sent again shows the secret: %s", v.text("main"))
	}
	v.open("/en/admin/webhooks")
	v.submit(`[id^="test-submit-"]`)
	v.buy("100")
	v.spend("job_match")
	types := []string{"webhook.test", "credits.added", "credits.spent"}
	dbtest.Eventually(t, "the program has received everything", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !slices.ContainsFunc(types, func(kind string) bool {
			return !slices.ContainsFunc(bodies, func(body string) bool { return strings.Contains(body, `"type":"`+kind+`"`) })
		})
	})
	dbtest.Eventually(t, "the page shows that all arrived", func() bool {
		v.open("/en/admin/webhooks")
		return v.doc.Find("main td").FilterFunction(func(_ int, cell *goquery.Selection) bool {
			return strings.Contains(cell.Text(), "Response 200")
		}).Length() == len(types)
	})
	if len(bodies) != len(types) {
		t.Errorf("%d requests, want %d", len(bodies), len(types))
	}
	if out := v.site.out.String(); strings.Contains(out, secret) || strings.Contains(out, receiver.URL) {
		t.Error("the log contains the secret or the URL of the endpoint")
	}
}
