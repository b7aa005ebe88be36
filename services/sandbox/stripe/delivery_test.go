package stripe_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/models/dbtest"
	sandbox "github.com/resume-matcher/credits/services/sandbox/stripe"
)

func TestEventsAreRetriedUntilAccepted(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, refusal := range []int64{http.StatusInternalServerError, http.StatusFound} {
		s.hooks.status.Store(refusal)
		customer, err := s.api.Customers.New(&stripe.CustomerParams{})
		if err != nil {
			t.Fatalf("make customer: %v", err)
		}
		if _, err := s.api.Customers.Del(customer.ID, nil); err != nil {
			t.Fatalf("delete customer: %v", err)
		}
		first, second := s.hooks.retry(t), s.hooks.retry(t)
		if first.event != second.event || !strings.HasPrefix(first.agent, "Stripe/1.0") {
			t.Errorf("attempts: got %+v, %+v", first, second)
		}
		if strings.Count(first.signature, "v1=") != 2 {
			t.Errorf("signature: got %s, want one v1 for each secret", first.signature)
		}
		failed := s.undelivered(t)
		if len(failed) != 1 || failed[0].ID != first.event || failed[0].PendingWebhooks != 1 {
			t.Errorf("undelivered: got %+v", failed)
		}
		s.hooks.status.Store(http.StatusNoContent)
		if event := s.hooks.next(t, "customer.deleted"); event.ID != first.event {
			t.Errorf("event: got %s, want %s", event.ID, first.event)
		}
		last := s.hooks.retry(t)
		if first.signature == last.signature {
			t.Error("the repetition has the old signature")
		}
	}
}

func (s *fixture) undelivered(t *testing.T) []*stripe.Event {
	t.Helper()
	var all []*stripe.Event
	list := s.api.Events.List(&stripe.EventListParams{
		DeliverySuccess: stripe.Bool(false), Types: stripe.StringSlice([]string{"customer.deleted"}),
	})
	for list.Next() {
		all = append(all, list.Event())
	}
	if err := list.Err(); err != nil {
		t.Fatalf("list events: %v", err)
	}
	return all
}

func TestRestartKeepsStateAndDelivers(t *testing.T) {
	t.Parallel()
	database, hooks := dbtest.Empty(t), newReceiver(t)
	hooks.status.Store(http.StatusServiceUnavailable)
	server, err := sandbox.Start(t.Context(), options(database, hooks.URL))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	before := &fixture{Server: server, hooks: hooks, api: newClient(server.URL(), secretKey)}
	customer, err := before.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("erika@example.com")})
	if err != nil {
		t.Fatalf("make customer: %v", err)
	}
	price := before.offer(t)
	session := before.checkout(t, price.ID)
	if _, err := before.api.CheckoutSessions.Expire(session.ID, nil); err != nil {
		t.Fatalf("expire: %v", err)
	}
	hooks.retry(t)
	refused := before.emitted(t, "checkout.session.expired")[0]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Close(ctx); err != nil {
		t.Fatalf("close: %v", err)
	}
	hooks.status.Store(http.StatusOK)

	after := startOn(t, database, hooks)
	if event := hooks.next(t, "checkout.session.expired"); event.ID != refused.ID {
		t.Errorf("event: got %s, want %s", event.ID, refused.ID)
	}
	if kept, err := after.api.Customers.Get(customer.ID, nil); err != nil || kept.Email != "erika@example.com" {
		t.Errorf("customer: got %+v, %v", kept, err)
	}
	if kept, err := after.api.Prices.Get(price.ID, nil); err != nil || kept.UnitAmount != 2000 {
		t.Errorf("price: got %+v, %v", kept, err)
	}
}

func TestPagesRefuseOtherSites(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	for _, path := range []string{session.URL, "/control/payments/pi_1/refund"} {
		for _, header := range []map[string]string{
			{"Origin": "http://localhost:3000"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
			{"Origin": "null"},
		} {
			if got := s.do(t, http.MethodPost, path, url.Values{"action": {"pay"}},
				header).StatusCode; got != http.StatusForbidden {
				t.Errorf("POST %s with %v: got %d, want 403", path, header, got)
			}
		}
	}
	if payments := s.payments(t, session.Customer.ID); len(payments) != 0 {
		t.Errorf("got %d payments, want none", len(payments))
	}
	shown := s.get(t, session.URL)
	want :=
		"default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self' http://localhost:3000 http://localhost:3000; base-uri 'none'; frame-ancestors 'none'"
	if got := shown.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("policy: got %s", got)
	}
	if got := shown.Header.Get("Referrer-Policy"); got != "strict-origin" {
		t.Errorf("referrer policy: got %s", got)
	}
	if n := shown.doc.Find("script, [style], style, [onclick]").Length(); n != 0 {
		t.Errorf("got %d scripts or inline styles", n)
	}
	css := s.get(t, shown.doc.Find("link[rel=stylesheet]").AttrOr("href", ""))
	if css.StatusCode != http.StatusOK || !strings.HasPrefix(css.Header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: got %d %s", css.StatusCode, css.Header.Get("Content-Type"))
	}
	same := map[string]string{"Origin": s.URL(), "Sec-Fetch-Site": "same-origin"}
	if got := s.do(t, http.MethodPost, session.URL, url.Values{"action": {"pay"}},
		same).StatusCode; got != http.StatusSeeOther {
		t.Errorf("own form: got %d, want 303", got)
	}
}

var placeholder = regexp.MustCompile(`%\{\w+\}`)

func TestTextsAreComplete(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("pages/texts.yaml")
	if err != nil {
		t.Fatalf("read texts: %v", err)
	}
	var texts map[string]map[string]string
	if err := yaml.Unmarshal(data, &texts); err != nil {
		t.Fatalf("parse texts: %v", err)
	}
	if len(texts["de"]) != len(texts["en"]) {
		t.Errorf("%d German and %d English texts", len(texts["de"]), len(texts["en"]))
	}
	for key, german := range texts["de"] {
		english := texts["en"][key]
		if german == "" || english == "" {
			t.Errorf("%s is missing in one language", key)
		}
		a, b := placeholder.FindAllString(german, -1), placeholder.FindAllString(english, -1)
		if strings.Join(a, "") != strings.Join(b, "") {
			t.Errorf("%s: placeholders %v and %v", key, a, b)
		}
	}
	files, err := os.ReadDir("pages")
	if err != nil {
		t.Fatalf("list pages: %v", err)
	}
	used := regexp.MustCompile(`\.T "([a-z.]+)"`)
	for _, file := range files {
		page, err := os.ReadFile("pages/" + file.Name())
		if err != nil {
			t.Fatalf("read page: %v", err)
		}
		for _, match := range used.FindAllStringSubmatch(string(page), -1) {
			if texts["en"][match[1]] == "" {
				t.Errorf("%s: no text %s", file.Name(), match[1])
			}
		}
	}
}
