package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/sandbox/identity"
)

// providerStates are states that look different with several providers.
var providerStates = []pageState{
	{name: "login-many", path: "/login"},
	{name: "held-known", path: "/auth/oidc?locale={locale}", status: 409, button: "#custom-user button",
		typed: []string{"name", "Bob Example", "email", "bob@example.com"}},
	{name: "account-many", user: "ada", path: "/account"},
	{name: "elsewhere", user: "ada", path: "/billing"},
	{name: "confirm-many", user: "ada", path: "/confirm"},
	{name: "confirm-none", user: "gone", path: "/confirm"},
}

// startWithProviders starts a server with two providers: a local one, and GitHub, for stored identities only.
func startWithProviders(t *testing.T) (s *site, exec func(statement string)) {
	t.Helper()
	const client = "credits"
	database, port, quiet := dbtest.URL(t), freePort(t), slog.New(slog.DiscardHandler)
	provider, err := identity.Start(t.Context(), identity.Options{Listen: "127.0.0.1:0", ClientID: client,
		ClientSecret: "0123456789",
		RedirectURLs: []string{fmt.Sprintf("http://localhost:%d/auth/oidc/callback", port)}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close(context.Background()) })
	s = startOn(t, port, workDir(t), "DATABASE_URL="+database, "STRIPE_SECRET_KEY=sk_test_0123456789abcdef",
		"STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef",
		"STRIPE_API_BASE=http://127.0.0.1:9", "OIDC_ISSUER="+provider.Issuer(), "OIDC_CLIENT_ID="+client,
		"OIDC_CLIENT_SECRET=0123456789",
		"OIDC_NAME=Example Login", "GITHUB_CLIENT_ID=github", "GITHUB_CLIENT_SECRET=0123456789")
	db, err := postgres.Open(database, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	return s, func(statement string) {
		t.Helper()
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
}

// Pages about sign-in are correct with several providers, over HTTP in both languages and in a browser.
func TestStatesWithSeveralProviders(t *testing.T) {
	t.Parallel()
	s, exec := startWithProviders(t)
	visitors := map[string]map[string]*visitor{}
	for _, locale := range []string{"en", "de"} {
		visitors[locale] = map[string]*visitor{"": newVisitor(s, locale)}
		for _, name := range []string{"ada", "gone"} {
			visitors[locale][name] = newVisitor(s, locale)
			visitors[locale][name].signInAs(name + "@example.com")
		}
	}
	exec(`WITH bob AS (INSERT INTO users (email, name) VALUES ('bob@example.com', 'Bob Example') RETURNING id)
		INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) SELECT 'https://github.com', 'bob', id, 'github', 'bob@example.com', true FROM bob`)
	exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified)
		SELECT 'https://github.com', 'ada', id, 'github', 'ada.work@example.com', true FROM users WHERE email = 'ada@example.com'`)
	exec(`UPDATE identities SET issuer = 'https://gone.example.org', provider = 'gone' WHERE email = 'gone@example.com'`)
	exec(`UPDATE sessions SET proved_at = NULL`)
	setElsewhere := func(st pageState) { // a page reports a sign-in elsewhere once
		at := "NULL"
		if st.name == "elsewhere" {
			at = "now()"
		}
		exec(`UPDATE sessions SET elsewhere_at = ` + at + `, elsewhere_device = 'Firefox, Linux'`)
	}
	texts, pages := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}, workDir(t)
	for locale, visitors := range visitors {
		c := &crawler{locale: locale, texts: texts, foreign: foreignWords(texts[locale], texts[otherLocale(locale)])}
		for _, st := range providerStates {
			c.visitor = visitors[st.user]
			setElsewhere(st)
			c.checkState(st, strings.NewReplacer())
			c.store(pages, st.name)
		}
	}
	checkHTML(t, pages)
	for _, v := range allViews {
		b := newBrowser(t, s, v)
		for i, st := range providerStates {
			if dbtest.Full() || dailyView(i) == v {
				b.copySession(visitors[v.locale][st.user])
				setElsewhere(st)
				b.showState(st, strings.NewReplacer())
			}
		}
	}
}
