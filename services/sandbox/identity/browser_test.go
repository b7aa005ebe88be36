package identity_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/oauth2"

	"github.com/resume-matcher/credits/services/sandbox/identity"
)

const callback = "http://localhost:3000/auth/oidc/callback"

func start(t *testing.T) *identity.Server {
	t.Helper()
	s, err := identity.Start(t.Context(), identity.Options{
		Listen: "127.0.0.1:0", ClientID: "credits", ClientSecret: "not-a-secret", RedirectURLs: []string{callback},
	})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// product is the client's side of the protocol, as any OAuth library speaks it.
func product(s *identity.Server) *oauth2.Config {
	return &oauth2.Config{
		ClientID: "credits", ClientSecret: "not-a-secret", RedirectURL: callback,
		Scopes:   []string{"openid", "profile", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: s.Issuer() + "authorize", TokenURL: s.Issuer() + "oauth/token"},
	}
}

// browser follows redirects until they leave the stand-in.
func browser() *http.Client {
	return &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func get(t *testing.T, address, language string) (*http.Response, *goquery.Document) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Language", language)
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (*http.Response, *goquery.Document) {
	t.Helper()
	answer, err := browser().Do(req)
	if err != nil {
		t.Fatalf("%s: %v", req.URL.Path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := goquery.NewDocumentFromReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, page
}

// submit posts one of the page's forms as a browser would: hidden fields, the values given, and its button.
func submit(t *testing.T, s *identity.Server, page *goquery.Document, id string, values url.Values) (*http.Response,
	*goquery.Document) {
	t.Helper()
	form := page.Find("#" + id).Closest("form")
	if form.Length() != 1 {
		t.Fatalf("the page has %d forms with #%s, want 1", form.Length(), id)
	}
	data := url.Values{}
	form.Find("input[type=hidden], button[name]").Each(func(_ int, field *goquery.Selection) {
		data.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
	})
	maps.Copy(data, values)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		strings.TrimSuffix(s.Issuer(), "/")+form.AttrOr("action", ""), strings.NewReader(data.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, req)
}

// begin opens the sign-in page of a fresh sign-in and returns it with the PKCE verifier.
func begin(t *testing.T, s *identity.Server, more ...oauth2.AuthCodeOption) (*goquery.Document, string) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	options := append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("nonce", "n-1")}, more...)
	answer, page := get(t, product(s).AuthCodeURL("state-1", options...), "en")
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("sign-in page: status %d", answer.StatusCode)
	}
	return page, verifier
}

func callbackOf(t *testing.T, answer *http.Response) url.Values {
	t.Helper()
	location, err := answer.Location()
	if err != nil || !strings.HasPrefix(location.String(), callback+"?") {
		t.Fatalf("status %d, location %v: want a redirect to the product", answer.StatusCode, location)
	}
	return location.Query()
}

// claims redeems the code and returns what the ID token says. The product's own tests check its signature.
func claims(t *testing.T, s *identity.Server, query url.Values, verifier string) map[string]any {
	t.Helper()
	token, err := product(s).Exchange(t.Context(), query.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	idToken, _ := token.Extra("id_token").(string)
	_, rest, _ := strings.Cut(idToken, ".")
	payload, _, _ := strings.Cut(rest, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	if err := json.Unmarshal(decoded, &said); err != nil {
		t.Fatal(err)
	}
	return said
}
