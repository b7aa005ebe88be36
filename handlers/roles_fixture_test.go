package handlers

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/outbound"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/webhook"
)

// rolesFixture holds one object of each kind and a caller for each role.
type rolesFixture struct {
	*fixture
	users map[string]int64 // by role
	keys  map[string]string
	paths *strings.Replacer // replaces {purchase} and the other placeholders by ids
	later time.Duration     // how far the rate limits' clock is ahead
}

func newRolesFixture(t *testing.T) *rolesFixture {
	t.Helper()
	f := &rolesFixture{fixture: newFixture(t), keys: map[string]string{}}
	f.sell()
	quiet := slog.New(slog.DiscardHandler)
	h := f.handler
	h.Limits = limit.New(f.db, func() time.Time { return time.Now().Add(f.later) })
	h.Keys = apikey.New(f.db, h.Limits, quiet, nil)
	h.Outbound = outbound.New(f.db, testSecrets, outbound.Networks{}, quiet)
	h.Webhook = &webhook.Service{DB: f.db, Purchase: h.Purchase, Now: models.Now, Log: quiet}
	f.users = map[string]int64{"owner": f.user("ada@example.org", 100).ID, "other": f.user("eve@example.org", 100).ID,
		"admin": f.boss().ID, "helper": f.helper().ID}
	id := func(query string, args ...any) (id string) {
		if err := f.db.Raw(query, args...).Scan(&id).Error; err != nil || id == "" {
			t.Fatalf("%s: %q, %v", query, id, err)
		}
		return id
	}
	p := f.order(f.users["owner"], "order")
	f.play(p, "pay", "card")
	_, f.keys["read"] = f.serviceKey(models.ScopeRead)
	spendKey, header := f.serviceKey(models.ScopeSpend)
	f.keys["spend"] = header
	revoked, header := f.serviceKey(models.ScopeSpend)
	f.keys["revoked"] = header
	if err := h.Keys.Revoke(t.Context(), revoked, 0, ""); err != nil {
		t.Fatal(err)
	}
	spare, _ := f.serviceKey(models.ScopeRead)
	held, err := h.Spend.Hold(t.Context(),
		spend.HoldRequest{Request: spend.Request{Caller: spendKey, UserID: f.users["owner"], Feature: "job_match",
			Key: "hold"}})
	if err != nil {
		t.Fatal(err)
	}
	refused := models.Identity{Issuer: "https://id.example.org", Subject: "new"}
	second := models.Identity{Issuer: "https://second.example.org", Subject: "boss"}
	for query, args := range map[string][]any{
		`INSERT INTO refused_identities (issuer, subject, user_id, provider, email) VALUES (?, ?, ?, 'oidc', 'ada@example.org')`: {refused.Issuer, refused.Subject, f.users["owner"]},
		`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
			SELECT ?, ?, user_id, 'oidc', email, true, '' FROM (VALUES (?::integer, 'ada@example.org')) i (user_id, email)
			UNION ALL SELECT ?, ?, ?, 'oidc', 'second@example.org', true, ''`: {refused.Issuer, "old", f.users["owner"], second.Issuer, second.Subject, f.users["owner"]},
		`INSERT INTO admin_identities (email, issuer, subject) VALUES ('second@example.org', ?, 'who had the address first')`: {second.Issuer},
	} {
		if err := f.db.Exec(query, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	endpoint := id(addEndpointSQL)
	f.paths = strings.NewReplacer("{refused}", auth.IdentityID(refused), "{right}", auth.IdentityID(second), "{purchase}",
		p.ID.String(), "{user}", fmt.Sprint(f.users["owner"]), "{key}", spare.String(), "{hold}", held.ID.String(),
		"{event}", id(`INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe)
			VALUES ('evt_1', 'payment_intent.created', '', false, '{}', 'review', 0) RETURNING event_id`),
		"{waiting}", id(`INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe)
			VALUES ('evt_2', 'charge.refunded', '', false, '{}', 'review', 0) RETURNING event_id`),
		"{finding}", id(`WITH run AS (INSERT INTO reconciliations (since, finished_at) VALUES (now(), now()) RETURNING id)
			INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id) SELECT id, 'review', 'user:1' FROM run RETURNING id`),
		"{removed}", id(addEndpointSQL), "{endpoint}", endpoint,
		"{delivery}", id(`INSERT INTO webhook_deliveries (endpoint_id, type, status)
			VALUES (?, 'webhook.test', 'failed') RETURNING id`, endpoint),
		"{letter}", id(`INSERT INTO letters (id, kind, key, user_id, locale, status)
			VALUES (gen_random_uuid(), 'refunded', 'x', ?, 'de', 'failed') RETURNING id`, f.users["owner"]),
		"{low}", id(`INSERT INTO letters (id, kind, key, user_id, locale, status)
			VALUES (gen_random_uuid(), 'low_balance', 'x', ?, 'de', 'failed') RETURNING id`, f.users["owner"]),
		"{resumes}", id(openResumesSQL, f.users["owner"], strings.Repeat("a", 26)),
		"{withdrawal}", id(`INSERT INTO withdrawals (id, idempotency_key, user_id, name, email, contract, locale)
			VALUES (gen_random_uuid(), 'w', ?, 'Ada', 'ada@example.org', '500 Credits', 'de') RETURNING id`, f.users["owner"]),
		"{session}", id(`INSERT INTO sessions (key_hash, data, user_id, issuer, subject, expires_at)
			VALUES ('0123', 'x', ?, ?, ?, now() + interval '1 day') RETURNING key_hash`, f.users["owner"], second.Issuer, second.Subject))
	return f
}

// openResumesSQL stores a deletion of resumes that has failed.
const openResumesSQL = `INSERT INTO gate_users (user_id, tenant_id, deletion_due_at, deletion_attempts, deletion_cause)
	VALUES (?, ?, now() + interval '15 minutes', 7, 'resumes_away') RETURNING user_id`

// addEndpointSQL stores a webhook endpoint without a secret.
const addEndpointSQL = `INSERT INTO webhook_endpoints (id, url, events, low_threshold)
	VALUES (gen_random_uuid(), 'https://example.com', ARRAY['credits.added'], 50) RETURNING id`

// boss stores an admin.
func (f *fixture) boss() models.User {
	f.t.Helper()
	const email = "boss@example.org"
	f.setSignIn(auth.Options{Secrets: testSecrets, AdminEmails: []string{email, "second@example.org"},
		HelperEmails: []string{helperEmail}})
	h := f.handler
	h.Admin = &admin.Service{DB: f.db, Purchase: h.Purchase, Webhook: h.Webhook, Auth: h.Auth, Sessions: h.Sessions.rows,
		Keys: h.Keys, Log: slog.New(slog.DiscardHandler)}
	return f.staff(email)
}

const helperEmail = "helper@example.org"

// helper stores a helper; boss has set up the sign-in.
func (f *fixture) helper() models.User {
	f.t.Helper()
	return f.staff(helperEmail)
}

// staff stores a user with a verified address.
func (f *fixture) staff(email string) models.User {
	f.t.Helper()
	user := f.user(email, 0)
	err := f.db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
		VALUES ('https://id.example.org', ?, ?, 'oidc', ?, true, 'Staff')`, email, user.ID, email).Error
	if err != nil {
		f.t.Fatal(err)
	}
	return user
}

// resetLimits forgets what the rate limits have counted, here and in the database.
func (f *rolesFixture) resetLimits() {
	f.t.Helper()
	f.later += time.Hour
	if err := f.db.Exec(`DELETE FROM rate_windows`).Error; err != nil {
		f.t.Fatal(err)
	}
}

// ask sends the request once as each role and returns the statuses. Each user signs in first, because some requests
// sign out.
func (f *rolesFixture) ask(method, path string) (got statuses) {
	f.t.Helper()
	f.resetLimits()
	path = f.paths.Replace(path)
	for i, role := range roles {
		var header []string
		form := url.Values{}
		if user := f.users[role]; user != 0 {
			cookie := f.signIn(user)
			_, id, _ := strings.Cut(cookie, "=")
			form.Set("_csrf", f.handler.Sessions.token(&models.Session{Key: id}))
			header = append(header, "Cookie: "+cookie)
		} else if f.keys[role] != "" {
			header = append(header, f.keys[role])
		}
		body := ""
		switch {
		case method == fiber.MethodGet:
		case strings.HasPrefix(path, "/api"):
			body = "{}"
		default:
			body, header = form.Encode(), append(header, "Content-Type: application/x-www-form-urlencoded")
		}
		r := f.call(method, path, body, header...)
		got[i] = r.status
		if method == fiber.MethodPost && r.flash() == "session_over" {
			got[i] = fiber.StatusUnauthorized
		}
	}
	return got
}
