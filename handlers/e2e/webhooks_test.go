package e2e

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/outbound"
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
	guide := v.text("section[aria-labelledby=guide]")
	for _, kind := range append(models.WebhookTypes(), models.WebhookTest) {
		if !strings.Contains(guide, string(kind)) {
			t.Errorf("the page lacks %s", kind)
		}
	}
	if !strings.Contains(guide, `"transactionId": 8,`) || !strings.Contains(guide, "webhook-signature") {
		t.Errorf("the page lacks a request or its receiver:\n%s", guide)
	}
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

// The receiver of the API page accepts what we sign, also while a secret is rotated, and refuses everything else.
func TestReceiverVerifiesSignatures(t *testing.T) {
	t.Parallel()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	port := strconv.Itoa(freePort(t))
	address := "127.0.0.1:" + port
	cmd := exec.CommandContext(t.Context(), "python3", absolute(t, "../../static/examples/python/webhook.py"), port)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	var printed bytes.Buffer
	cmd.Stdout = &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dbtest.Eventually(t, "the receiver listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	key, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	body := outbound.Example(models.WebhookSpent)
	now := time.Now()
	for name, c := range map[string]struct {
		sent         time.Time
		body, before string
		after        string
		status       int
	}{
		"signed":                        {now, body, "", "", 204},
		"during a rotation":             {now, body, "v1,b2xk ", "", 204},
		"another content":               {now, strings.Replace(body, "-10", "-90", 1), "", "", 401},
		"sent an hour ago":              {now.Add(-time.Hour), body, "", "", 401},
		"another signature":             {now, body, "", "A", 401},
		"a signature that is not ASCII": {now, body, "", "\u00e9", 401},
	} {
		signature, err := key.Sign("msg_1", c.sent, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		res, _ := request(t, http.DefaultClient, http.MethodPost, "http://"+address, c.body, map[string]string{"webhook-id": "msg_1",
			"webhook-timestamp": strconv.FormatInt(c.sent.Unix(), 10), "webhook-signature": c.before + signature + c.after})
		if res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, c.status)
		}
	}
	if res, _ := request(t, http.DefaultClient, http.MethodPost, "http://"+address, body, nil); res.StatusCode != 401 {
		t.Errorf("without headers: status %d, want 401", res.StatusCode)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if want := `msg_1 credits.spent {"userId": 42, "transactionId": 8, "deltaCredits": -10, `; strings.Count(printed.String(), want) != 2 {
		t.Errorf("it printed\n%s\nwant twice %s…", printed.String(), want)
	}
}
