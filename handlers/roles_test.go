package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/webhook"
)

// roles are whoever may ask: nobody who is known, the user to whom the things in the addresses belong, another one, an
// admin, and programs with a service key that may read, that may spend, and that was revoked.
var roles = []string{"nobody", "owner", "other", "admin", "read", "spend", "revoked"}

// answered are the statuses that each role gets, in the order of roles. A key is of no meaning outside /api: there, its
// program is nobody.
type answered [7]int

// The answers that many routes share: of pages for everybody, for users, and for admins, which are not there for any
// other user. A form tells who is not signed in, where a page leads to the sign-in.
func everybody(status int) answered {
	return answered{status, status, status, status, status, status, status}
}
func userGet(status int) answered   { return answered{303, status, status, status, 303, 303, 303} }
func userPost(status int) answered  { return answered{401, status, status, status, 401, 401, 401} }
func ownerGet(status int) answered  { return answered{303, status, 404, 404, 303, 303, 303} }
func adminGet(status int) answered  { return answered{303, 404, 404, status, 303, 303, 303} }
func adminPost(status int) answered { return answered{401, 404, 404, status, 401, 401, 401} }

// routeRoles says of every route what each role is answered. What is asked for is the address beside it; {purchase},
// {hold}, {withdrawal}, {event}, {waiting}, {finding}, {key}, {user} and {session} are things of the owner's, but for
// the hold, which belongs to the key that may spend. Forms are posted with the session's token and nothing else, calls
// of the API with {}.
var routeRoles = map[string]struct {
	path string
	want answered
}{
	"GET /healthz":             {"/healthz", everybody(200)},
	"GET /readyz":              {"/readyz", everybody(200)},
	"GET /static/*":            {"/static/x", everybody(404)},
	"GET /":                    {"/", everybody(303)},
	"GET /dev/components":      {"/dev/components", everybody(404)}, // in development alone
	"GET /api/openapi.json":    {"/api/openapi.json", everybody(200)},
	"GET /api/docs":            {"/api/docs", answered{200, 200, 200, 200, 200, 200, 401}},
	"GET /api/stripe/webhook":  {"/api/stripe/webhook", everybody(405)},
	"POST /api/stripe/webhook": {"/api/stripe/webhook", everybody(400)}, // without a signature

	"GET /api/checkout":  {"/api/checkout", answered{405, 405, 405, 405, 405, 405, 401}},
	"POST /api/checkout": {"/api/checkout", answered{401, 422, 422, 422, 403, 403, 401}},
	// a key must name a user
	"GET /api/credits/balance":       {"/api/credits/balance", answered{401, 200, 200, 200, 422, 422, 401}},
	"POST /api/credits/balance":      {"/api/credits/balance", answered{405, 405, 405, 405, 405, 405, 401}},
	"GET /api/credits/transactions":  {"/api/credits/transactions", answered{401, 200, 200, 200, 422, 422, 401}},
	"POST /api/credits/transactions": {"/api/credits/transactions", answered{405, 405, 405, 405, 405, 405, 401}},
	"GET /api/credits/spend":         {"/api/credits/spend", answered{405, 405, 405, 405, 405, 405, 401}},
	"POST /api/credits/spend":        {"/api/credits/spend", answered{401, 422, 422, 422, 403, 422, 401}},
	"GET /api/credits/holds":         {"/api/credits/holds", answered{405, 405, 405, 405, 405, 405, 401}},
	"POST /api/credits/holds":        {"/api/credits/holds", answered{401, 403, 403, 403, 403, 400, 401}},
	"GET /api/credits/holds/:id":     {"/api/credits/holds/{hold}", answered{401, 403, 403, 403, 404, 200, 401}},
	"POST /api/credits/holds/:id":    {"/api/credits/holds/{hold}", answered{405, 405, 405, 405, 405, 405, 401}},
	"GET /api/credits/holds/:id/capture": {"/api/credits/holds/{hold}/capture",
		answered{405, 405, 405, 405, 405, 405, 401}},
	"POST /api/credits/holds/:id/capture": {"/api/credits/holds/{hold}/capture",
		answered{401, 403, 403, 403, 403, 200, 401}},
	"GET /api/credits/holds/:id/release": {"/api/credits/holds/{hold}/release",
		answered{405, 405, 405, 405, 405, 405, 401}},
	// captured above
	"POST /api/credits/holds/:id/release": {"/api/credits/holds/{hold}/release",
		answered{401, 403, 403, 403, 403, 409, 401}},

	// not set up here; who is signed in is there already
	"GET /auth/:provider": {"/auth/oidc", answered{404, 303, 303, 303, 404, 404, 404}},
	// who is signed in has come back already
	"GET /auth/:provider/callback": {"/auth/oidc/callback", answered{400, 303, 303, 303, 400, 400, 400}},
	"POST /logout":                 {"/logout", userPost(303)},

	"GET /:locale/":               {"/de/", everybody(200)},
	"GET /:locale/api/docs":       {"/de/api/docs", everybody(200)},
	"GET /:locale/dev/components": {"/de/dev/components", everybody(404)},
	"GET /:locale/login":          {"/de/login", answered{200, 303, 303, 303, 200, 200, 200}},
	"GET /:locale/withdrawal":     {"/de/withdrawal", everybody(200)},
	"POST /:locale/withdrawal":    {"/de/withdrawal", everybody(422)},
	// the address is its secret
	"GET /:locale/withdrawal/:id":                  {"/de/withdrawal/{withdrawal}", everybody(200)},
	"GET /:locale/withdrawal/:id/confirmation.txt": {"/de/withdrawal/{withdrawal}/confirmation.txt", everybody(200)},
	"GET /:locale/billing":                         {"/de/billing", userGet(200)},
	"POST /:locale/billing/spend":                  {"/de/billing/spend", userPost(404)}, // in the sandbox alone
	"GET /:locale/purchase":                        {"/de/purchase", userGet(200)},
	"POST /:locale/purchase":                       {"/de/purchase", userPost(422)},
	"GET /:locale/purchase/:id":                    {"/de/purchase/{purchase}", ownerGet(200)},
	"GET /:locale/purchase/:id/receipt":            {"/de/purchase/{purchase}/receipt", ownerGet(303)},
	"GET /:locale/history":                         {"/de/history", userGet(200)},
	"GET /:locale/history.csv":                     {"/de/history.csv", userGet(200)},
	"GET /:locale/confirm":                         {"/de/confirm", userGet(303)}, // each has just proved to be present
	"GET /:locale/account":                         {"/de/account", userGet(200)},
	"POST /:locale/account":                        {"/de/account", userPost(422)},
	"POST /:locale/account/sign-ins/:id/unlink":    {"/de/account/sign-ins/0/unlink", userPost(303)},
	"GET /:locale/account/export.zip":              {"/de/account/export.zip", userGet(200)},
	"GET /:locale/account/delete":                  {"/de/account/delete", userGet(200)},
	"POST /:locale/account/delete":                 {"/de/account/delete", userPost(422)}, // without the tick
	"POST /:locale/account/sessions/end":           {"/de/account/sessions/end", userPost(303)},
	// another's stays
	"POST /:locale/account/sessions/:id/end":   {"/de/account/sessions/{session}/end", userPost(303)},
	"GET /:locale/admin/":                      {"/de/admin", adminGet(200)},
	"GET /:locale/admin/users/:id":             {"/de/admin/users/{user}", adminGet(200)},
	"POST /:locale/admin/users/:id/grant":      {"/de/admin/users/{user}/grant", adminPost(422)},
	"POST /:locale/admin/users/:id/relink":     {"/de/admin/users/{user}/relink", adminPost(422)}, // without a reason
	"POST /:locale/admin/users/:id/right":      {"/de/admin/users/{user}/right", adminPost(422)},
	"POST /:locale/admin/users/:id/sessions":   {"/de/admin/users/{user}/sessions", adminPost(422)},
	"GET /:locale/admin/purchases/:id":         {"/de/admin/purchases/{purchase}", adminGet(200)},
	"POST /:locale/admin/purchases/:id/check":  {"/de/admin/purchases/{purchase}/check", adminPost(303)},
	"POST /:locale/admin/purchases/:id/refund": {"/de/admin/purchases/{purchase}/refund", adminPost(422)},
	"POST /:locale/admin/purchases/:id/move":   {"/de/admin/purchases/{purchase}/move", adminPost(422)},
	// without a reason
	"POST /:locale/admin/purchases/:id/book":    {"/de/admin/purchases/{purchase}/book", adminPost(422)},
	"POST /:locale/admin/purchases/:id/foreign": {"/de/admin/purchases/{purchase}/foreign", adminPost(422)},
	"POST /:locale/admin/purchases/:id/share":   {"/de/admin/purchases/{purchase}/share", adminPost(422)},
	"GET /:locale/admin/events/:id":             {"/de/admin/events/{waiting}", adminGet(200)},
	"POST /:locale/admin/events/:id/foreign":    {"/de/admin/events/{waiting}/foreign", adminPost(422)},
	"POST /:locale/admin/events/:id/close":      {"/de/admin/events/{waiting}/close", adminPost(422)},
	"GET /:locale/admin/findings/:id":           {"/de/admin/findings/{finding}", adminGet(200)},
	"POST /:locale/admin/findings/:id/close":    {"/de/admin/findings/{finding}/close", adminPost(422)},
	"GET /:locale/admin/withdrawals":            {"/de/admin/withdrawals", adminGet(200)},
	"POST /:locale/admin/withdrawals/:id/close": {"/de/admin/withdrawals/{withdrawal}/close", adminPost(303)},
	"GET /:locale/admin/events":                 {"/de/admin/events", adminGet(200)},
	"POST /:locale/admin/events/:id/retry":      {"/de/admin/events/{event}/retry", adminPost(303)},
	"POST /:locale/admin/reconcile":             {"/de/admin/reconcile", adminPost(303)},
	"GET /:locale/admin/audit":                  {"/de/admin/audit", adminGet(200)},
	"GET /:locale/admin/features":               {"/de/admin/features", adminGet(200)},
	"POST /:locale/admin/features":              {"/de/admin/features", adminPost(422)},
	"GET /:locale/admin/keys":                   {"/de/admin/keys", adminGet(200)},
	"POST /:locale/admin/keys":                  {"/de/admin/keys", adminPost(400)},
	"POST /:locale/admin/keys/:id/revoke":       {"/de/admin/keys/{key}/revoke", adminPost(303)},
}

// A new route must be entered above: what it answers to each role is decided, not found out.
func TestEveryRouteKnowsItsRoles(t *testing.T) {
	t.Parallel()
	w := newRolesFixture(t)
	seen := map[string]bool{}
	for _, route := range w.app.GetRoutes(true) {
		name := route.Method + " " + strings.Replace(route.Path, ":locale<regex(^(de|en)$)>", ":locale", 1)
		if seen[name] || route.Method != fiber.MethodGet && route.Method != fiber.MethodPost { // others: below
			continue
		}
		seen[name] = true
		entry, ok := routeRoles[name]
		path := entry.path
		if !ok {
			path = strings.NewReplacer(":locale", "de", ":id", "{purchase}", ":provider", "oidc", "*", "x").
				Replace(strings.SplitN(name, " ", 2)[1])
		}
		got := w.ask(route.Method, path)
		switch {
		case !ok:
			t.Errorf(
				"%s is a new route. Decide what each of %s is answered, and add to routeRoles in handlers/roles_test.go:\n\t%q: {%q, answered{%s}},\n"+
					"(these numbers are what it answers now)", name, strings.Join(roles, ", "), name, path,
				strings.Trim(strings.ReplaceAll(fmt.Sprint(got), " ", ", "), "[]"))
		case got != entry.want:
			t.Errorf("%s answers %v to %v, want %v", name, got, roles, entry.want)
		}
	}
	for name := range routeRoles {
		if !seen[name] {
			t.Errorf("%s is no route any more: take it out of routeRoles", name)
		}
	}
}

// What is neither read nor posted is not there: a method that nobody thought of opens nothing.
func TestOtherMethodsOpenNothing(t *testing.T) {
	t.Parallel()
	w := newRolesFixture(t)
	methods := []string{"PUT", "PATCH", "DELETE", "OPTIONS"}
	for n, name := range slices.Sorted(maps.Keys(routeRoles)) {
		entry := routeRoles[name]
		for m, method := range methods {
			if m != n%len(methods) && !dbtest.Full() { // the routes share the methods out
				continue
			}
			for i, status := range w.ask(method, entry.path) {
				if !slices.Contains([]int{401, 403, 404, 405}, status) {
					t.Errorf("%s at the address of %s answers %d to %s", method, name, status, roles[i])
				}
			}
		}
	}
}

// roleWorld is a desk with one of everything.
type rolesFixture struct {
	*fixture
	users  map[string]int64 // by role
	keys   map[string]string
	things *strings.Replacer
	later  time.Duration // how far the clock of the limits is ahead
}

func newRolesFixture(t *testing.T) *rolesFixture {
	t.Helper()
	w := &rolesFixture{fixture: newFixture(t), keys: map[string]string{}}
	w.sell()
	quiet := slog.New(slog.DiscardHandler)
	h := w.handler
	h.Site.Ready = func(context.Context) error { return nil }
	h.Limits = limit.New(w.db, func() time.Time { return time.Now().Add(w.later) })
	h.Keys = apikey.New(w.db, h.Limits, quiet, nil)
	h.Webhook = &webhook.Service{DB: w.db, Purchase: h.Purchase, Now: models.Now, Log: quiet}
	w.users = map[string]int64{"owner": w.user("ada@example.org", 100).ID, "other": w.user("eve@example.org", 100).ID,
		"admin": w.boss().ID}
	id := func(query string, args ...any) (id string) {
		if err := w.db.Raw(query, args...).Scan(&id).Error; err != nil || id == "" {
			t.Fatalf("%s: %q, %v", query, id, err)
		}
		return id
	}
	p := w.order(w.users["owner"], "order")
	w.play(p, "pay", "card")
	_, w.keys["read"] = w.serviceKey(models.ScopeRead)
	spendKey, header := w.serviceKey(models.ScopeSpend)
	w.keys["spend"] = header
	revoked, header := w.serviceKey(models.ScopeSpend)
	w.keys["revoked"] = header
	if err := h.Keys.Revoke(t.Context(), revoked, 0, ""); err != nil {
		t.Fatal(err)
	}
	spare, _ := w.serviceKey(models.ScopeRead)
	held, err := h.Spend.Hold(t.Context(),
		spend.HoldRequest{Request: spend.Request{Caller: spendKey, UserID: w.users["owner"], Feature: "job_match",
			Key: "hold"}})
	if err != nil {
		t.Fatal(err)
	}
	refused := models.Identity{Issuer: "https://id.example.org", Subject: "new"}
	second := models.Identity{Issuer: "https://second.example.org", Subject: "boss"}
	for query, args := range map[string][]any{
		`INSERT INTO refused_identities (issuer, subject, user_id, provider, email) VALUES (?, ?, ?, 'oidc', 'ada@example.org')`: {refused.Issuer, refused.Subject, w.users["owner"]},
		`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
			SELECT ?, ?, user_id, 'oidc', email, true, '' FROM (VALUES (?::integer, 'ada@example.org')) i (user_id, email)
			UNION ALL SELECT ?, ?, ?, 'oidc', 'second@example.org', true, ''`: {refused.Issuer, "old", w.users["owner"], second.Issuer, second.Subject, w.users["owner"]},
		`INSERT INTO admin_identities (email, issuer, subject) VALUES ('second@example.org', ?, 'who had the address first')`: {second.Issuer},
	} {
		if err := w.db.Exec(query, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	w.things = strings.NewReplacer("{refused}", auth.IdentityID(refused), "{right}", auth.IdentityID(second), "{purchase}",
		p.ID.String(), "{user}", fmt.Sprint(w.users["owner"]), "{key}", spare.String(), "{hold}", held.ID.String(),
		"{event}", id(`INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe)
			VALUES ('evt_1', 'payment_intent.created', '', false, '{}', 'review', 0) RETURNING event_id`),
		"{waiting}", id(`INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe)
			VALUES ('evt_2', 'charge.refunded', '', false, '{}', 'review', 0) RETURNING event_id`),
		"{finding}", id(`WITH run AS (INSERT INTO reconciliations (since, finished_at) VALUES (now(), now()) RETURNING id)
			INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id) SELECT id, 'review', 'user:1' FROM run RETURNING id`),
		"{withdrawal}", id(`INSERT INTO withdrawals (id, idempotency_key, user_id, name, email, contract, locale)
			VALUES (gen_random_uuid(), 'w', ?, 'Ada', 'ada@example.org', '500 Credits', 'de') RETURNING id`, w.users["owner"]),
		"{session}", id(`INSERT INTO sessions (key_hash, data, user_id, issuer, subject, expires_at)
			VALUES ('0123', 'x', ?, ?, ?, now() + interval '1 day') RETURNING key_hash`, w.users["owner"], second.Issuer, second.Subject))
	return w
}

// boss stores a user who is an admin.
func (d *fixture) boss() models.User {
	d.t.Helper()
	const email = "boss@example.org"
	h, quiet := d.handler, slog.New(slog.DiscardHandler)
	var err error
	if h.Auth, err = auth.New(auth.Options{DB: d.db, AppURL: "http://localhost",
		AdminEmails: []string{email, "second@example.org"}, Log: quiet}); err != nil {
		d.t.Fatal(err)
	}
	h.Admin = &admin.Service{DB: d.db, Purchase: h.Purchase, Webhook: h.Webhook, Auth: h.Auth, Sessions: h.Sessions.rows,
		Keys: h.Keys, Log: quiet}
	user := d.user(email, 0)
	err = d.db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
		VALUES ('https://id.example.org', 'boss', ?, 'oidc', ?, true, 'Boss')`, user.ID, email).Error
	if err != nil {
		d.t.Fatal(err)
	}
	return user
}

// ask sends one request as each role. Browsers sign in anew each time: some requests sign out. No limit is reached.
func (w *rolesFixture) ask(method, path string) (got answered) {
	w.t.Helper()
	w.later += time.Hour
	if err := w.db.Exec(`DELETE FROM rate_windows`).Error; err != nil {
		w.t.Fatal(err)
	}
	path = w.things.Replace(path)
	for i, role := range roles {
		var header []string
		form := url.Values{}
		if user := w.users[role]; user != 0 {
			cookie := w.signIn(user)
			_, id, _ := strings.Cut(cookie, "=")
			form.Set("_csrf", w.handler.Sessions.token(&models.Session{Key: id}))
			header = append(header, "Cookie: "+cookie)
		} else if w.keys[role] != "" {
			header = append(header, w.keys[role])
		}
		body := ""
		switch {
		case method == fiber.MethodGet:
		case strings.HasPrefix(path, "/api"):
			body = "{}"
		default:
			body, header = form.Encode(), append(header, "Content-Type: application/x-www-form-urlencoded")
		}
		got[i] = w.call(method, path, body, header...).status
	}
	return got
}
