package auth

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/fault"
)

// certifiedSecret is the clients' secret. RFC 6749 wants its characters escaped in the header and in the form.
const certifiedSecret = "secret+with/characters=that&need%escapes"

// TestCertifiedProvider signs in with oidc-provider, which the OpenID Foundation has certified.
// Source: https://openid.net/certification/
func TestCertifiedProvider(t *testing.T) {
	t.Parallel()
	issuer := startCertifiedProvider(t)
	for _, algorithm := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		for _, method := range []string{"client_secret_basic", "client_secret_post"} {
			t.Run(algorithm+" "+method, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, OpenID("Certified", issuer, algorithm+"."+method, certifiedSecret))
				for _, login := range []string{"ada", "unverified-ada", "admin"} {
					f.signInAtCertified(t, login)
				}
			})
		}
	}
	t.Run("a slash too many in the issuer", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, OpenID("Certified", issuer+"/", "RS256.client_secret_basic", certifiedSecret))
		if _, _, err := f.Begin(t.Context(), config.OpenID, "en", ""); !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want %s", err, fault.Unavailable)
		}
		f.CheckIssuer(t.Context())
		if log := f.log.String(); !strings.Contains(log, issuer+"/") || !strings.Contains(log, "OIDC_ISSUER") {
			t.Errorf("got the log %s, want it to name the setting and its value", log)
		}
	})
}

// signInAtCertified signs a person in and checks the account.
func (f fixture) signInAtCertified(t *testing.T, login string) {
	t.Helper()
	address, flow, err := f.Begin(t.Context(), config.OpenID, "en", "")
	if err != nil {
		t.Fatal(err)
	}
	user, err := f.Complete(t.Context(), flow, logIn(t, address, login))
	if err != nil {
		t.Fatalf("%s: %v\n%s", login, err, f.log)
	}
	want := login + "@example.com"
	if strings.HasPrefix(login, "unverified") {
		want = ""
	}
	if user.Email != want || user.Name != login {
		t.Errorf("%s: got address %q and name %q, want %q and %q", login, user.Email, user.Name, want, login)
	}
	if account, err := f.Account(t.Context(), user.ID); err != nil || account.Admin != (login == "admin") {
		t.Errorf("%s: got admin %v, %v", login, account.Admin, err)
	}
}

// logIn sends the provider's own forms, login and consent, and returns the parameters of the callback.
func logIn(t *testing.T, address, login string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var callback url.Values
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), appURL) {
			callback = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := browser.Get(address)
	for range 2 {
		if err != nil {
			t.Fatal(err)
		}
		page, parseErr := goquery.NewDocumentFromReader(response.Body)
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		form := page.Find("form").First()
		prompt := form.Find("[name=prompt]").AttrOr("value", "")
		fields := url.Values{"login": {login}, "password": {"any"}, "prompt": {prompt}}
		response.Body.Close()
		response, err = browser.PostForm(form.AttrOr("action", ""), fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if callback == nil {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%s: no callback but %d: %s", login, response.StatusCode, text)
	}
	return callback
}

// startCertifiedProvider runs the provider until the test ends, and returns its issuer.
func startCertifiedProvider(t *testing.T) string {
	t.Helper()
	if found, _ := filepath.Glob("../../node_modules/oidc-provider/package.json"); found == nil {
		t.Skip("npm install has not been run: make test runs it")
	}
	cmd := exec.Command("node", "testdata/provider.mjs", appURL+"/auth/oidc/callback")
	input, err := cmd.StdinPipe() // open until this process ends, even by kill -9
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatalf("start oidc-provider: %v", err)
	}
	t.Cleanup(func() {
		input.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oidc-provider: %v\n%s", err, complaint.String())
		}
	})
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		t.Fatal("oidc-provider did not start")
	}
	return lines.Text()
}
