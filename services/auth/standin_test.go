package auth

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/services/sandbox/identity"
)

// browser follows redirects until one leads to the product.
var browser = &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
	if strings.HasPrefix(r.URL.String(), appURL) {
		return http.ErrUseLastResponse
	}
	return nil
}}

// standIn starts the sandbox's provider and returns its configuration.
func standIn(t *testing.T) ProviderConfig {
	t.Helper()
	server, err := identity.Start(t.Context(), identity.Options{
		Listen: "127.0.0.1:0", ClientID: "credits", ClientSecret: "not-a-secret",
		RedirectURLs: []string{appURL + "/auth/oidc/callback"},
	})
	if err != nil {
		t.Fatalf("start the provider: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the provider: %v", err)
		}
	})
	return OpenID("Demo", server.Issuer(), "credits", "not-a-secret")
}

// choose opens the provider's page, submits one of its forms and returns the callback's query.
func choose(t *testing.T, address, form string, fields url.Values) url.Values {
	t.Helper()
	page, at := request(t, http.MethodGet, address, nil)
	data, action := url.Values{}, page.Find("#"+form).Closest("form")
	if action.Length() != 1 {
		t.Fatalf("the sign-in page has no form #%s", form)
	}
	action.Find("input[type=hidden], button[name]").Each(func(_ int, field *goquery.Selection) {
		data.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
	})
	maps.Copy(data, fields)
	target, err := at.Parse(action.AttrOr("action", ""))
	if err != nil {
		t.Fatal(err)
	}
	_, at = request(t, http.MethodPost, target.String(), data)
	if !strings.HasPrefix(at.String(), appURL+"/auth/oidc/callback?") {
		t.Fatalf("got address %s, want the callback", at)
	}
	return at.Query()
}

// request returns the page and its address, or the address in the product of a redirect.
func request(t *testing.T, method, address string, form url.Values) (*goquery.Document, *url.URL) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := browser.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, req.URL.Path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if location, err := answer.Location(); err == nil {
		return nil, location
	}
	page, err := goquery.NewDocumentFromReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page, answer.Request.URL
}

func (f fixture) begin(t *testing.T) (string, Flow) {
	t.Helper()
	address, flow, err := f.Begin(t.Context(), "oidc", "de", "")
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	return address, flow
}
