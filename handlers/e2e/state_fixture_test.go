package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// people are those of the states, by what they call themselves.
var userNames = map[string]string{
	"zero": "Ada Example", "low": "Ada Example", "debt": "Ada Example", "rich": "Dr. Maximiliane Oberhuber-Wittgenstein zu Rosenburg", "holder": "Ada Example", "buyer": "Ada Example",
	"disputer": "Ada Example", "second": "Ada Example", "long": strings.Repeat("Wolfeschlegelsteinhausen", 9)[:200], "short": "X",
}

// scene is a server with people in every state that a page tells apart, all signed in, in both languages.
type stateFixture struct {
	site     *site
	db       *gorm.DB
	visitors map[string]map[string]*visitor // by language and name; "admin", and "" for nobody
	ids      *strings.Replacer              // {paid} by the id of that purchase, {rich} by that of this person
}

// newStateFixture signs everybody in, in these languages.
func newStateFixture(t *testing.T, locales ...string) *stateFixture {
	t.Helper()
	fx := &stateFixture{visitors: map[string]map[string]*visitor{}}
	for _, locale := range locales {
		fx.visitors[locale] = map[string]*visitor{}
	}
	fx.site, fx.db = startWithData(t)
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
	// Looking at everything takes longer than a proof of presence counts, and than an admin's session may be idle; somebody
	// has proved nothing.
	err = fx.db.Exec(`UPDATE sessions SET last_seen_at = now() + interval '6 hours',
		proved_at = CASE WHEN user_id <> (SELECT id FROM users WHERE email = 'short@example.com') THEN now() + interval '6 hours' END`).Error
	if err != nil {
		t.Fatal(err)
	}
	fx.ids = idsOf(t, fx.db)
	return fx
}

// idsOf are the purchases by their keys and the people by their names.
func idsOf(t *testing.T, db *gorm.DB) *strings.Replacer {
	t.Helper()
	var rows []struct{ Name, ID string }
	err := db.Raw(`SELECT idempotency_key AS name, id::text FROM purchases WHERE checkout_session_id LIKE 'cs\_state\_%'
		UNION ALL SELECT coalesce(split_part(email, '@', 1), CASE WHEN merged_into IS NULL THEN 'deleted' ELSE 'merged' END), id::text FROM users WHERE email IS NULL OR email NOT LIKE 'user%'
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
