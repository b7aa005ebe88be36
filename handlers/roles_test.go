package handlers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models/dbtest"
)

// roles are the callers: a visitor without a session, the user who owns the objects in the paths, another user, an
// admin, a helper, and programs whose service key can read, can spend, or is revoked.
var roles = []string{"visitor", "owner", "other", "admin", "helper", "read", "spend", "revoked"}

// statuses are the status for each role, in the order of roles. Outside /api a service key has no effect, so its
// program counts as a visitor.
type statuses [8]int

// Statuses that many routes share: public pages, users' pages, pages of the staff, and pages and forms of admins, which
// answer 403 to helpers. The last three answer 404 to other users. A visitor is redirected to the sign-in; for a form,
// which may redirect users too, that counts as 401.
func public(status int) statuses {
	return statuses{status, status, status, status, status, status, status, status}
}
func userGet(status int) statuses {
	return statuses{303, status, status, status, status, 303, 303, 303}
}
func userPost(status int) statuses {
	return statuses{401, status, status, status, status, 401, 401, 401}
}
func ownerGet(status int) statuses  { return statuses{303, status, 404, 404, 404, 303, 303, 303} }
func ownerPost(status int) statuses { return statuses{401, status, 404, 404, 404, 401, 401, 401} }
func staffGet(status int) statuses  { return statuses{303, 404, 404, status, status, 303, 303, 303} }
func adminGet(status int) statuses  { return statuses{303, 404, 404, status, 403, 303, 303, 303} }
func adminPost(status int) statuses { return statuses{401, 404, 404, status, 403, 401, 401, 401} }

// routeRoles is the status of every route for each role. The test requests the path beside the route, where {purchase},
// {hold}, {withdrawal}, {letter}, {event}, {waiting}, {finding}, {resumes}, {key}, {user} and {session} are the owner's
// objects, except the hold, which belongs to the spend key. Forms carry only the session's token; API calls send {}.
var routeRoles = map[string]struct {
	path string
	want statuses
}{
	"GET /healthz":             {"/healthz", public(200)},
	"GET /readyz":              {"/readyz", public(200)},
	"GET /metrics":             {"/metrics", public(404)}, // to a monitor only
	"GET /robots.txt":          {"/robots.txt", public(200)},
	"GET /static/*":            {"/static/x", public(404)},
	"GET /credits/embed.js":    {"/credits/embed.js", public(200)},
	"GET /credits/embed.json":  {"/credits/embed.json", userGet(200)},
	"GET /":                    {"/", public(303)},
	"GET /dev/components":      {"/dev/components", public(404)}, // development only
	"GET /dev/letters":         {"/dev/letters", public(404)},
	"GET /api/openapi.json":    {"/api/openapi.json", public(200)},
	"GET /api/docs":            {"/api/docs", statuses{200, 200, 200, 200, 200, 200, 200, 401}},
	"GET /api/stripe/webhook":  {"/api/stripe/webhook", public(405)},
	"POST /api/stripe/webhook": {"/api/stripe/webhook", public(400)}, // without a signature

	"GET /api/checkout":  {"/api/checkout", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"POST /api/checkout": {"/api/checkout", statuses{401, 422, 422, 422, 422, 403, 403, 401}},
	// a key must name a user
	"GET /api/features":  {"/api/features", statuses{200, 200, 200, 200, 200, 200, 200, 401}},
	"POST /api/features": {"/api/features", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"GET /api/packages":  {"/api/packages", statuses{200, 200, 200, 200, 200, 200, 200, 401}},
	"POST /api/packages": {"/api/packages", statuses{405, 405, 405, 405, 405, 405, 405, 401}},

	"GET /api/credits/balance":       {"/api/credits/balance", statuses{401, 200, 200, 200, 200, 422, 422, 401}},
	"POST /api/credits/balance":      {"/api/credits/balance", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"GET /api/credits/transactions":  {"/api/credits/transactions", statuses{401, 200, 200, 200, 200, 422, 422, 401}},
	"POST /api/credits/transactions": {"/api/credits/transactions", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"GET /api/credits/spend":         {"/api/credits/spend", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"POST /api/credits/spend":        {"/api/credits/spend", statuses{401, 422, 422, 422, 422, 403, 422, 401}},
	"GET /api/credits/holds":         {"/api/credits/holds", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"POST /api/credits/holds":        {"/api/credits/holds", statuses{401, 403, 403, 403, 403, 403, 400, 401}},
	"GET /api/credits/holds/:id":     {"/api/credits/holds/{hold}", statuses{401, 403, 403, 403, 403, 404, 200, 401}},
	"POST /api/credits/holds/:id":    {"/api/credits/holds/{hold}", statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"GET /api/credits/holds/:id/capture": {"/api/credits/holds/{hold}/capture",
		statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	"POST /api/credits/holds/:id/capture": {"/api/credits/holds/{hold}/capture",
		statuses{401, 403, 403, 403, 403, 403, 200, 401}},
	"GET /api/credits/holds/:id/release": {"/api/credits/holds/{hold}/release",
		statuses{405, 405, 405, 405, 405, 405, 405, 401}},
	// the capture above has ended it
	"POST /api/credits/holds/:id/release": {"/api/credits/holds/{hold}/release",
		statuses{401, 403, 403, 403, 403, 403, 409, 401}},

	// no provider is configured; a signed-in user is redirected first
	"GET /auth/:provider": {"/auth/oidc", statuses{404, 303, 303, 303, 303, 404, 404, 404}},
	// a signed-in user is redirected as for a repeated callback
	"GET /auth/:provider/callback": {"/auth/oidc/callback", statuses{400, 303, 303, 303, 303, 400, 400, 400}},
	"POST /logout":                 {"/logout", userPost(303)},

	"GET /:locale/":                 {"/de/", public(200)},
	"GET /:locale/api/docs":         {"/de/api/docs", public(200)},
	"GET /:locale/dev/components":   {"/de/dev/components", public(404)},
	"GET /:locale/dev/letters":      {"/de/dev/letters", public(404)},
	"GET /:locale/dev/letters/html": {"/de/dev/letters/html", public(404)},
	"GET /:locale/login":            {"/de/login", statuses{200, 303, 303, 303, 303, 200, 200, 200}},
	"GET /:locale/legal/:text":      {"/de/legal/withdrawal", public(404)}, // the fixture's seller has no name
	// the id in the path is the secret; programs without a session unsubscribe
	"GET /:locale/letters/:id/unsubscribe":  {"/de/letters/{low}/unsubscribe", public(200)},
	"POST /:locale/letters/:id/unsubscribe": {"/de/letters/{low}/unsubscribe", public(200)},

	"GET /:locale/withdrawal":  {"/de/withdrawal", public(200)},
	"POST /:locale/withdrawal": {"/de/withdrawal", public(422)},
	// the id in the path is the secret
	"GET /:locale/withdrawal/:id":                  {"/de/withdrawal/{withdrawal}", public(200)},
	"GET /:locale/withdrawal/:id/confirmation.txt": {"/de/withdrawal/{withdrawal}/confirmation.txt", public(200)},
	"GET /:locale/billing":                         {"/de/billing", userGet(200)},
	"GET /:locale/purchase":                        {"/de/purchase", userGet(200)},
	"POST /:locale/purchase":                       {"/de/purchase", userPost(422)},
	"GET /:locale/purchase/:id":                    {"/de/purchase/{purchase}", ownerGet(200)},
	// the fixture's shop offers no refunds
	"GET /:locale/purchase/:id/refund":  {"/de/purchase/{purchase}/refund", ownerGet(303)},
	"POST /:locale/purchase/:id/refund": {"/de/purchase/{purchase}/refund", userPost(400)},
	// nothing of the fixture's purchase is held
	"GET /:locale/purchase/:id/use-now":         {"/de/purchase/{purchase}/use-now", ownerGet(303)},
	"POST /:locale/purchase/:id/use-now":        {"/de/purchase/{purchase}/use-now", ownerPost(303)},
	"GET /:locale/purchase/:id/receipt":         {"/de/purchase/{purchase}/receipt", ownerGet(303)},
	"GET /:locale/history":                      {"/de/history", userGet(200)},
	"GET /:locale/history.csv":                  {"/de/history.csv", userGet(200)},
	"GET /:locale/confirm":                      {"/de/confirm", userGet(303)}, // each has just reauthenticated
	"GET /:locale/account":                      {"/de/account", userGet(200)},
	"POST /:locale/account":                     {"/de/account", userPost(422)},
	"POST /:locale/account/sign-ins/:id/unlink": {"/de/account/sign-ins/0/unlink", userPost(303)},
	"GET /:locale/account/export.zip":           {"/de/account/export.zip", userGet(200)},
	"GET /:locale/account/delete":               {"/de/account/delete", userGet(200)},
	"POST /:locale/account/delete":              {"/de/account/delete", userPost(422)}, // the box is not ticked
	"POST /:locale/account/sessions/end":        {"/de/account/sessions/end", userPost(303)},
	// only its owner's request ends the session
	"POST /:locale/account/sessions/:id/end":        {"/de/account/sessions/{session}/end", userPost(303)},
	"GET /:locale/admin/":                           {"/de/admin", staffGet(200)},
	"GET /:locale/admin/users/:id":                  {"/de/admin/users/{user}", staffGet(200)},
	"POST /:locale/admin/users/:id/grant":           {"/de/admin/users/{user}/grant", adminPost(422)},
	"POST /:locale/admin/users/:id/relink":          {"/de/admin/users/{user}/relink", adminPost(422)}, // without a reason
	"POST /:locale/admin/users/:id/right":           {"/de/admin/users/{user}/right", adminPost(422)},
	"POST /:locale/admin/users/:id/sessions":        {"/de/admin/users/{user}/sessions", adminPost(422)},
	"GET /:locale/admin/purchases/:id":              {"/de/admin/purchases/{purchase}", staffGet(200)},
	"GET /:locale/admin/purchases/:id/dossier":      {"/de/admin/purchases/{purchase}/dossier", staffGet(200)},
	"GET /:locale/admin/purchases/:id/dossier.html": {"/de/admin/purchases/{purchase}/dossier.html", staffGet(200)},
	"POST /:locale/admin/purchases/:id/check":       {"/de/admin/purchases/{purchase}/check", adminPost(303)},
	"POST /:locale/admin/purchases/:id/refund":      {"/de/admin/purchases/{purchase}/refund", adminPost(422)},
	"POST /:locale/admin/purchases/:id/move":        {"/de/admin/purchases/{purchase}/move", adminPost(422)},
	// without a reason
	"POST /:locale/admin/purchases/:id/book":     {"/de/admin/purchases/{purchase}/book", adminPost(422)},
	"POST /:locale/admin/purchases/:id/foreign":  {"/de/admin/purchases/{purchase}/foreign", adminPost(422)},
	"POST /:locale/admin/purchases/:id/share":    {"/de/admin/purchases/{purchase}/share", adminPost(422)},
	"GET /:locale/admin/events/:id":              {"/de/admin/events/{waiting}", staffGet(200)},
	"POST /:locale/admin/events/:id/foreign":     {"/de/admin/events/{waiting}/foreign", adminPost(422)},
	"POST /:locale/admin/events/:id/close":       {"/de/admin/events/{waiting}/close", adminPost(422)},
	"GET /:locale/admin/findings/:id":            {"/de/admin/findings/{finding}", staffGet(200)},
	"POST /:locale/admin/findings/:id/close":     {"/de/admin/findings/{finding}/close", adminPost(422)},
	"GET /:locale/admin/resumes/:id":             {"/de/admin/resumes/{resumes}", staffGet(200)},
	"POST /:locale/admin/resumes/:id/retry":      {"/de/admin/resumes/{resumes}/retry", adminPost(303)},
	"POST /:locale/admin/resumes/:id/close":      {"/de/admin/resumes/{resumes}/close", adminPost(422)},
	"GET /:locale/admin/withdrawals":             {"/de/admin/withdrawals", staffGet(200)},
	"POST /:locale/admin/withdrawals/:id/close":  {"/de/admin/withdrawals/{withdrawal}/close", adminPost(303)},
	"POST /:locale/admin/withdrawals/:id/refund": {"/de/admin/withdrawals/{withdrawal}/refund", adminPost(303)},
	"POST /:locale/admin/withdrawals/:id/reopen": {"/de/admin/withdrawals/{withdrawal}/reopen", adminPost(303)},
	"GET /:locale/admin/events":                  {"/de/admin/events", staffGet(200)},
	"POST /:locale/admin/events/:id/retry":       {"/de/admin/events/{event}/retry", adminPost(303)},
	"POST /:locale/admin/reconcile":              {"/de/admin/reconcile", adminPost(303)},
	"GET /:locale/admin/audit":                   {"/de/admin/audit", adminGet(200)},
	"GET /:locale/admin/features":                {"/de/admin/features", adminGet(200)},
	"POST /:locale/admin/features":               {"/de/admin/features", adminPost(422)},
	"GET /:locale/admin/keys":                    {"/de/admin/keys", adminGet(200)},
	"POST /:locale/admin/keys":                   {"/de/admin/keys", adminPost(400)},
	"POST /:locale/admin/keys/:id/revoke":        {"/de/admin/keys/{key}/revoke", adminPost(303)},

	"POST /:locale/account/letters": {"/de/account/letters", userPost(303)},

	"GET /:locale/admin/letters":            {"/de/admin/letters", adminGet(200)},
	"POST /:locale/admin/letters":           {"/de/admin/letters", adminPost(303)},
	"POST /:locale/admin/letters/retry":     {"/de/admin/letters/retry", adminPost(303)},
	"POST /:locale/admin/letters/:id/retry": {"/de/admin/letters/{letter}/retry", adminPost(303)},
	"POST /:locale/admin/letters/:id/close": {"/de/admin/letters/{letter}/close", adminPost(303)},

	"GET /:locale/admin/webhooks":              {"/de/admin/webhooks", adminGet(200)},
	"POST /:locale/admin/webhooks":             {"/de/admin/webhooks", adminPost(400)},
	"POST /:locale/admin/webhooks/:id/disable": {"/de/admin/webhooks/{endpoint}/disable", adminPost(303)},
	"POST /:locale/admin/webhooks/:id/enable":  {"/de/admin/webhooks/{endpoint}/enable", adminPost(303)},
	"POST /:locale/admin/webhooks/:id/remove":  {"/de/admin/webhooks/{removed}/remove", adminPost(303)},
	"POST /:locale/admin/webhooks/:id/replay":  {"/de/admin/webhooks/{endpoint}/replay", adminPost(422)},
	"POST /:locale/admin/webhooks/:id/rotate":  {"/de/admin/webhooks/{endpoint}/rotate", adminPost(400)},
	"POST /:locale/admin/webhooks/:id/test":    {"/de/admin/webhooks/{endpoint}/test", adminPost(303)},

	"POST /:locale/admin/webhooks/deliveries/:id/replay": {"/de/admin/webhooks/deliveries/{delivery}/replay",
		adminPost(303)},
}

// A new route fails until routeRoles has its statuses, so that its author decides them for each role.
func TestEveryRouteKnowsItsRoles(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	seen := map[string]bool{}
	for _, route := range f.app.GetRoutes(true) {
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
		got := f.ask(route.Method, path)
		switch {
		case !ok:
			t.Errorf(
				"%s is a new route. Decide its status for each of %s, and add it to routeRoles in handlers/roles_test.go:\n\t%q: {%q, statuses{%s}},\n"+
					"(these numbers are its current statuses)", name, strings.Join(roles, ", "), name, path,
				strings.Trim(strings.ReplaceAll(fmt.Sprint(got), " ", ", "), "[]"))
		case got != entry.want:
			t.Errorf("%s: statuses %v for %v, want %v", name, got, roles, entry.want)
		}
	}
	for name := range routeRoles {
		if !seen[name] {
			t.Errorf("%s is in routeRoles but no longer a route: remove it", name)
		}
	}
}

// Methods other than GET and POST are refused on every path.
func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	methods := []string{"PUT", "PATCH", "DELETE", "OPTIONS"}
	for n, name := range slices.Sorted(maps.Keys(routeRoles)) {
		entry := routeRoles[name]
		for m, method := range methods {
			if m != n%len(methods) && !dbtest.Full() { // each route tests one method
				continue
			}
			for i, status := range f.ask(method, entry.path) {
				if !slices.Contains([]int{401, 403, 404, 405}, status) {
					t.Errorf("%s on the path of %s: status %d for %s, want a refusal", method, name, status, roles[i])
				}
			}
		}
	}
}

// Helpers see the pages that they may read without anything that changes something.
func TestHelpersGetNoForms(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	ask := func(role, path string) string {
		f.resetLimits()
		return f.call(fiber.MethodGet, f.paths.Replace(path), "", "Cookie: "+f.signIn(f.users[role])).body
	}
	forms := func(page string) int {
		return strings.Count(page, `method="post"`) - strings.Count(page, `action="/logout"`)
	}
	read, ofAdmin := 0, 0
	for name, entry := range routeRoles {
		if entry.want != staffGet(200) {
			continue
		}
		read++
		if n := forms(ask("helper", entry.path)); n != 0 {
			t.Errorf("%s: got %d forms, want none", name, n)
		}
		ofAdmin += forms(ask("admin", entry.path))
	}
	if read < 10 || ofAdmin < 10 {
		t.Errorf("got %d pages, with %d forms for an admin, want at least 10 of both", read, ofAdmin)
	}
	for _, path := range []string{"/de/admin/users/{user}", "/de/admin"} {
		if page := ask("helper", path); strings.Contains(page, "/admin/keys") || strings.Contains(page, "/admin/webhooks") {
			t.Errorf("%s: links to keys or webhooks", path)
		}
	}
}
