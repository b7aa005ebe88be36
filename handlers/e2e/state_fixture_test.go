package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// userNames maps the users of testdata/states.sql, by the part of their address before the @, to their display names.
var userNames = map[string]string{
	"zero": "Ada Example", "low": "Ada Example", "debt": "Ada Example",
	"rich": "Dr. Maximiliane Oberhuber-Wittgenstein zu Rosenburg", "holder": "Ada Example", "buyer": "Ada Example",
	"disputer": "Ada Example", "second": "Ada Example", "long": strings.Repeat("Wolfeschlegelsteinhausen", 9)[:200],
	"short": "X",
}

// stateFixture is a server with a signed-in user in every state that a page distinguishes, in each language.
type stateFixture struct {
	site     *site
	db       *gorm.DB
	visitors map[string]map[string]*visitor // by locale and user; "admin" is the admin, "" is signed out
	ids      *strings.Replacer              // replaces {paid} and {rich} by the ids of that purchase and user
}

// newStateFixture starts a server, signs every user in once per locale, and loads testdata/states.sql.
func newStateFixture(t *testing.T, locales ...string) *stateFixture {
	t.Helper()
	fx := &stateFixture{visitors: map[string]map[string]*visitor{}}
	for _, locale := range locales {
		fx.visitors[locale] = map[string]*visitor{}
	}
	fx.site, fx.db = startWithData(t, "GOODWILL_DAYS=60", "GOODWILL_UNUSED_PERCENT=1")
	for locale, visitors := range fx.visitors {
		for _, name := range slices.Sorted(maps.Keys(userNames)) {
			visitors[name] = newVisitor(fx.site, locale)
			visitors[name].signInNamed(userNames[name], name+"@example.com")
		}
		visitors["admin"], visitors[""] = newVisitor(fx.site, locale), newVisitor(fx.site, locale)
		visitors["admin"].signIn("#demo-admin")
	}
	second := fx.visitors[locales[0]]["second"]
	second.open("/" + locales[0] + "/account")
	second.click("#link-oidc")
	second.submit("#custom-user", "name", "Ada Example", "email", "third@example.com")
	script, err := os.ReadFile("testdata/states.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := fx.db.Transaction(func(tx *gorm.DB) error { return tx.Exec(string(script)).Error }); err != nil {
		t.Fatal(err)
	}
	// The tests outlast a reauthentication and an admin's idle limit, so both last six hours. The user "short" has
	// not reauthenticated.
	err = fx.db.Exec(`UPDATE sessions SET last_seen_at = now() + interval '6 hours',
		proved_at = CASE WHEN user_id <> (SELECT id FROM users WHERE email = 'short@example.com') THEN now() + interval '6 hours' END`).Error
	if err != nil {
		t.Fatal(err)
	}
	fx.ids = idsOf(t, fx.db)
	return fx
}

// idsOf replaces {name} by the id of the purchase with that idempotency key, the user with that address, the letter
// with that key, or the finding.
func idsOf(t *testing.T, db *gorm.DB) *strings.Replacer {
	t.Helper()
	var rows []struct{ Name, ID string }
	err := db.Raw(`SELECT idempotency_key AS name, id::text FROM purchases WHERE checkout_session_id LIKE 'cs\_state\_%'
		UNION ALL SELECT coalesce(split_part(email, '@', 1), CASE WHEN merged_into IS NULL THEN 'deleted' ELSE 'merged' END), id::text FROM users WHERE email IS NULL OR email NOT LIKE 'user%'
		UNION ALL SELECT key, id::text FROM letters WHERE key IN ('reminder', 'stopped')
		UNION ALL SELECT 'finding', max(id)::text FROM reconciliation_findings WHERE kind = 'review'`).Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, r := range rows {
		pairs = append(pairs, "{"+r.Name+"}", r.ID)
	}
	return strings.NewReplacer(pairs...)
}
