package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/tracing/tracetest"
)

// What belongs to a user and to nobody else.
const (
	canaryName    = "Anna Canary-Musterfrau"
	canaryAddress = "anna.canary@example.com"
	canaryCard    = "4242424242424242"
)

// cookie returns the visitor's session.
func (v *visitor) cookie() string {
	v.t.Helper()
	u, err := url.Parse(v.site.url)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "session") {
			return c.Value
		}
	}
	v.t.Fatal("no session")
	return ""
}

var serviceKey = regexp.MustCompile(`rmc_[0-9A-Za-z]{38}`)

// useServiceKey makes a service key and spends for the user with it. It returns the key.
func (v *visitor) useServiceKey(database string) string {
	v.t.Helper()
	out, _ := command(v.t, []string{"DATABASE_URL=" + database}, "keys", "create", "--name", "Canary", "--scope", "spend")
	key := serviceKey.FindString(out)
	res, body := request(v.t, http.DefaultClient, http.MethodPost, v.site.url+"/api/credits/spend",
		`{"email":"`+canaryAddress+`","feature":"job_match","metadata":{"card":"`+canaryCard+`"}}`, map[string]string{
			"Content-Type": "application/json", "Idempotency-Key": uuid.NewString(), "Authorization": "Bearer " + key})
	if key == "" || res.StatusCode != http.StatusCreated {
		v.t.Fatalf("spend with key %q: status %d, %s; want 201", key, res.StatusCode, body)
	}
	return key
}

// changeName changes the visitor's name on the account page.
func (v *visitor) changeName() {
	v.t.Helper()
	v.open("/en/account")
	v.submit("#profile-save", "name", canaryName+" the Second")
	v.find("#flash")
}

// receiveGrant lets an admin grant the visitor credits with a note.
func (v *visitor) receiveGrant(db *gorm.DB) {
	v.t.Helper()
	var id int64
	if err := db.Raw(`SELECT id FROM users WHERE email = ?`, canaryAddress).Row().Scan(&id); err != nil {
		v.t.Fatal(err)
	}
	admin := newVisitor(v.site, "en")
	admin.signIn("#demo-admin")
	admin.open(fmt.Sprintf("/en/admin/users/%d", id))
	admin.submit("#grant-submit", "credits", "40", "note", "Thanks, "+canaryName)
	admin.find("#flash")
}

// failOnce makes one request of the visitor fail inside.
func (v *visitor) failOnce(db *gorm.DB) {
	v.t.Helper()
	rename := func(from, to string) {
		if err := db.Exec(`ALTER TABLE ` + from + ` RENAME TO ` + to).Error; err != nil {
			v.t.Fatal(err)
		}
	}
	rename("withdrawals", "withdrawals_away")
	v.open("/en/withdrawal/" + uuid.NewString() + "?email=" + canaryAddress)
	rename("withdrawals_away", "withdrawals")
	if v.status != http.StatusInternalServerError {
		v.t.Errorf("withdrawal without a table: status %d, want 500", v.status)
	}
}

// personal is what no line of any server's log may hold: the names of the demo accounts, an address, a key, a card.
var personal = regexp.MustCompile(`Demo (User|Admin)|Canary|[\w.+\-]@[\w\-]+\.|4242 ?4242` +
	`|rmc_\w{8}|whsec_\w|[sr]k_(test|live)_\w`)

// wantNoPersonInTheLog looks for canaries in what a server has logged, whatever its test was about.
func (s *site) wantNoPersonInTheLog() {
	s.t.Helper()
	for text := range strings.Lines(s.out.String()) {
		if (strings.HasPrefix(text, "time=") || strings.HasPrefix(text, "{")) && personal.MatchString(text) {
			s.t.Errorf("the log holds %q: %s", personal.FindString(text), text)
		}
	}
}

// wantNone wants none of the canaries in any of the texts.
func wantNone(t *testing.T, canaries []string, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		if len(text) < 200 {
			t.Errorf("%s has %d bytes, want what the journey leaves", name, len(text))
		}
		for _, canary := range canaries {
			if i := strings.Index(text, canary); i >= 0 || canary == "" {
				t.Errorf("%s holds %q: …%s…", name, canary, text[max(0, i-300):min(len(text), i+100)])
			}
		}
	}
}

// wantPurchaseStory wants one purchase as a story from the click to the credits: the order asked Stripe for a session,
// and the booking, in whichever trace, points to the order.
func wantPurchaseStory(t *testing.T, c *tracetest.Collector) {
	t.Helper()
	orders := c.Named("POST /:locale/purchase")
	if len(orders) != 1 || orders[0].Attributes["http.response.status_code"] != "303" {
		t.Fatalf("orders %+v, want one that leads to Stripe", orders)
	}
	stripe := slices.IndexFunc(c.Of(orders[0].Trace), func(s tracetest.Span) bool {
		return s.Name == "POST Stripe /v1/checkout/sessions" && s.Attributes["http.response.status_code"] == "200" &&
			s.Attributes["stripe.request_id"] != "" && s.Parent == orders[0].ID
	})
	if stripe < 0 {
		t.Errorf("order %+v, want a call of Stripe below it, with status and request id", c.Of(orders[0].Trace))
	}
	bookings := slices.DeleteFunc(c.Spans(), func(s tracetest.Span) bool {
		return !slices.Contains(s.Links, orders[0].Ref())
	})
	if len(bookings) == 0 || bookings[0].Name != "transaction" {
		t.Fatalf("bookings %+v, want a transaction that points to the order", bookings)
	}
	var names []string
	for _, s := range c.Of(bookings[0].Trace) {
		if s.Parent == "" {
			names = append(names, s.Name)
		}
	}
	if len(names) != 1 || names[0] != "POST /api/stripe/webhook" && names[0] != "GET /:locale/billing" {
		t.Errorf("the booking's trace begins with %v, want Stripe's event or the buyer's return", names)
	}
}

// ingest is a stand-in for Sentry.
type ingest struct {
	dsn string

	mu   sync.Mutex
	text strings.Builder
}

func newIngest(t *testing.T) *ingest {
	t.Helper()
	i := &ingest{}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.dsn = strings.Replace(server.URL, "://", "://key@", 1) + "/1"
	return i
}

// ServeHTTP receives reports.
func (i *ingest) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.text.Write(append(body, '\n'))
}

func (i *ingest) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.text.String()
}

// wantError wants one report of a request that failed.
func (i *ingest) wantError(t *testing.T) {
	t.Helper()
	type report struct {
		Release, Environment string
		Tags                 map[string]string
		Exception            []struct{ Type string }
	}
	var all []report
	for line := range strings.Lines(i.String()) {
		var r report
		if json.Unmarshal([]byte(line), &r) == nil && len(r.Exception) > 0 && r.Exception[0].Type == "request failed" {
			all = append(all, r)
		}
	}
	if len(all) != 1 || all[0].Environment != "development" ||
		!strings.HasSuffix(all[0].Release, "+"+builtCommit) || all[0].Tags["request_id"] == "" ||
		!strings.HasSuffix(all[0].Tags["route"], "/withdrawal/:id") {
		t.Errorf("reports %+v, want one of the failed request with release, request and route", all)
	}
}
