package identity_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/resume-matcher/credits/services/sandbox/identity"
)

func TestSignsInThePreparedPeople(t *testing.T) {
	t.Parallel()
	s := start(t)
	for form, want := range map[string]struct{ name, email string }{
		"demo-user":  {"Demo User", "demo@example.com"},
		"demo-admin": {"Demo Admin", "admin@example.com"},
	} {
		page, verifier := begin(t, s)
		answer, _ := submit(t, s, page, form, nil)
		query := callbackOf(t, answer)
		if query.Get("state") != "state-1" {
			t.Errorf("state: got %q, want the one sent", query.Get("state"))
		}
		said := claims(t, s, query, verifier)
		if said["name"] != want.name || said["email"] != want.email || said["email_verified"] != true ||
			said["nonce"] != "n-1" ||
			said["iss"] != s.Issuer() || said["locale"] != "en" {
			t.Errorf("claims of %s: got %v", form, said)
		}
		if subject, _ := said["sub"].(string); subject == "" || strings.Contains(subject, "@") {
			t.Errorf("subject: got %q, want something that is not the address", subject)
		}
	}
}

func TestSubjectIsTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	subject := func(fields url.Values) any {
		s := start(t)
		page, verifier := begin(t, s)
		answer, _ := submit(t, s, page, "custom-user", fields)
		return claims(t, s, callbackOf(t, answer), verifier)["sub"]
	}
	first := subject(url.Values{"name": {"Ada"}, "email": {"Ada@example.com"}})
	if again := subject(url.Values{"name": {"Countess"}, "email": {"ada@example.com"}}); first != again {
		t.Errorf("subjects %v and %v of one address, want the same", first, again)
	}
	chosen := subject(url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "subject": {"second-ada"}})
	if chosen != "second-ada" {
		t.Errorf("subject: got %v, want the chosen one", chosen)
	}
}

func TestSaysThatAnAddressIsNotVerified(t *testing.T) {
	t.Parallel()
	s := start(t)
	page, verifier := begin(t, s)
	answer, _ := submit(t, s, page, "custom-user", url.Values{"name": {"Eve"}, "email": {"eve@example.com"}})
	if said := claims(t, s, callbackOf(t, answer), verifier); said["email_verified"] != false {
		t.Errorf("email_verified: got %v, want false", said["email_verified"])
	}
}

func TestShowsWhatIsWrongWithTheForm(t *testing.T) {
	t.Parallel()
	s := start(t)
	page, _ := begin(t, s)
	for name, c := range map[string]struct {
		fields url.Values
		at     string
	}{
		"no name":            {url.Values{"email": {"a@example.com"}}, "name"},
		"no address":         {url.Values{"name": {"A"}, "email": {"invalid"}}, "email"},
		"name and address":   {url.Values{"name": {"A"}, "email": {"A <a@example.com>"}}, "email"},
		"subject with space": {url.Values{"name": {"A"}, "email": {"a@example.com"}, "subject": {"a b"}}, "subject"},
	} {
		answer, again := submit(t, s, page, "custom-user", c.fields)
		if answer.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d, want 422", name, answer.StatusCode)
		}
		if text := again.Find("#" + c.at + "-error[role=alert]").Text(); text == "" {
			t.Errorf("%s: no message at %s", name, c.at)
		}
		if got := again.Find("#email").AttrOr("value", ""); got != c.fields.Get("email") {
			t.Errorf("%s: the address was not kept: %q", name, got)
		}
	}
}

func TestCancelTellsTheProduct(t *testing.T) {
	t.Parallel()
	s := start(t)
	page, _ := begin(t, s)
	answer, _ := submit(t, s, page, "cancel", nil)
	query := callbackOf(t, answer)
	if query.Get("error") != "access_denied" || query.Get("state") != "state-1" || query.Has("code") {
		t.Errorf("callback: got %v, want access_denied", query)
	}
	if answer, _ := submit(t, s, page, "demo-user", nil); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("the cancelled sign-in went on: status %d", answer.StatusCode)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	s := start(t)
	page, verifier := begin(t, s)
	answer, _ := submit(t, s, page, "demo-user", nil)
	code := callbackOf(t, answer).Get("code")

	if answer, _ := submit(t, s, page, "demo-admin", nil); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("choosing twice: status %d, want 400", answer.StatusCode)
	}
	if _, err := product(s).Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("the code was redeemed with another verifier")
	}
	if _, err := product(s).Exchange(t.Context(), code, oauth2.VerifierOption(verifier)); err == nil {
		t.Error("the code was redeemed at its second try")
	}
	foreign := product(s)
	foreign.RedirectURL = "http://localhost:3000/elsewhere"
	if answer, _ := get(t, foreign.AuthCodeURL("x"), "en"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("foreign redirect: status %d, want 400", answer.StatusCode)
	}
	if answer, _ := get(t, s.Issuer()+"login?request=unknown", "de"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("unknown sign-in: status %d, want 400", answer.StatusCode)
	}
}

func TestRefusesAnotherHostName(t *testing.T) {
	t.Parallel()
	s := start(t)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer()+"login", nil)
	req.RequestURI, req.Host = "", "evil.example"
	if answer, _ := do(t, req); answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("status %d, want 421", answer.StatusCode)
	}
}

func TestSpeaksTheUsersLanguage(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ uiLocales, browser, want string }{
		{"de", "en", "de"}, {"en", "de", "en"}, {"", "de-CH,de;q=0.9", "de"}, {"", "fr", "en"}, {"fr de", "en", "de"},
	} {
		options := []oauth2.AuthCodeOption{}
		if c.uiLocales != "" {
			options = append(options, oauth2.SetAuthURLParam("ui_locales", c.uiLocales))
		}
		answer, page := get(t, product(s).AuthCodeURL("s", options...), c.browser)
		if got := page.Find("html").AttrOr("lang", ""); got != c.want {
			t.Errorf("ui_locales %q, browser %q: language %q, want %q", c.uiLocales, c.browser, got, c.want)
		}
		if heading := page.Find("h1").Text(); page.Find("h1").Length() != 1 || heading == "" {
			t.Errorf("heading: got %q, want one", heading)
		}
		if strings.Contains(page.Text(), "<no value>") {
			t.Errorf("a text is missing in %s", c.want)
		}
		policy := answer.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") ||
			!strings.Contains(policy, "form-action 'self' http://localhost:3000") ||
			strings.Contains(policy, "unsafe") {
			t.Errorf("content policy: got %q", policy)
		}
		if page.Find("script, [style], [onclick]").Length() != 0 {
			t.Error("the page has a script or an inline style")
		}
	}
}

func TestServesItsStyle(t *testing.T) {
	t.Parallel()
	s := start(t)
	page, _ := begin(t, s)
	href := page.Find("link[rel=stylesheet]").AttrOr("href", "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.Issuer(), "/")+href, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := browser().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK ||
		!strings.HasPrefix(answer.Header.Get("Content-Type"), "text/css") || len(body) == 0 {
		t.Errorf("style: status %d, type %q, %d bytes, %v", answer.StatusCode, answer.Header.Get("Content-Type"), len(body),
			err)
	}
}

func TestStartRefusesAnAddressThatOthersCanReach(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "nonsense"} {
		s, err := identity.Start(t.Context(), identity.Options{
			Listen: address, ClientID: "credits", ClientSecret: "x", RedirectURLs: []string{callback},
		})
		if err == nil {
			t.Errorf("%s: started", address)
			_ = s.Close(t.Context())
		}
	}
}

func TestStartTakesAFreePortWhenItsOwnIsTaken(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	taken, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s, err := identity.Start(t.Context(), identity.Options{
		Listen: taken.Addr().String(), ClientID: "credits", ClientSecret: "x", RedirectURLs: []string{callback},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, port, _ := net.SplitHostPort(taken.Addr().String()); strings.Contains(s.Issuer(), ":"+port+"/") {
		t.Errorf("issuer: got %s, want another port", s.Issuer())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}
