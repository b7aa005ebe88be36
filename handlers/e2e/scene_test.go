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
var people = map[string]string{
	"zero": "Ada Example", "low": "Ada Example", "debt": "Ada Example", "rich": "Dr. Maximiliane Oberhuber-Wittgenstein zu Rosenburg", "holder": "Ada Example", "buyer": "Ada Example",
	"disputer": "Ada Example", "second": "Ada Example", "long": strings.Repeat("Wolfeschlegelsteinhausen", 9)[:200], "short": "X",
}

// scene is a server with people in every state that a page tells apart, all signed in, in both languages.
type scene struct {
	site *site
	db   *gorm.DB
	cast map[string]map[string]*visitor // by language and name; "admin", and "" for nobody
	ids  *strings.Replacer              // {paid} by the id of that purchase, {rich} by that of this person
}

// newScene signs everybody in, in these languages.
func newScene(t *testing.T, locales ...string) *scene {
	t.Helper()
	sc := &scene{cast: map[string]map[string]*visitor{}}
	for _, locale := range locales {
		sc.cast[locale] = map[string]*visitor{}
	}
	sc.site, sc.db = operated(t)
	for locale, who := range sc.cast {
		for _, name := range slices.Sorted(maps.Keys(people)) {
			who[name] = newVisitor(sc.site, locale)
			who[name].signInNamed(people[name], name+"@example.com")
		}
		who["admin"], who[""] = newVisitor(sc.site, locale), newVisitor(sc.site, locale)
		who["admin"].signIn("#demo-admin")
	}
	second := sc.cast[locales[0]]["second"]
	second.open("/" + locales[0] + "/account")
	second.click("#link-oidc")
	second.submit("#custom-user", "name", "Ada Example", "email", "third@example.com")
	script, err := os.ReadFile("testdata/states.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.db.Transaction(func(tx *gorm.DB) error { return tx.Exec(string(script)).Error }); err != nil {
		t.Fatal(err)
	}
	// Looking at everything takes longer than a proof of presence counts, and than an admin's session may be idle; somebody
	// has proved nothing.
	err = sc.db.Exec(`UPDATE sessions SET last_seen_at = now() + interval '6 hours',
		proved_at = CASE WHEN user_id <> (SELECT id FROM users WHERE email = 'short@example.com') THEN now() + interval '6 hours' END`).Error
	if err != nil {
		t.Fatal(err)
	}
	sc.ids = idsOf(t, sc.db)
	return sc
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
