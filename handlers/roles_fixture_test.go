package handlers

import (
	"context"
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
	w.paths = strings.NewReplacer("{refused}", auth.IdentityID(refused), "{right}", auth.IdentityID(second), "{purchase}",
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

// boss stores an admin.
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

// ask sends the request once as each role and returns the statuses. Each user signs in first, because some requests
// sign out. The rate limits are reset.
func (w *rolesFixture) ask(method, path string) (got statuses) {
	w.t.Helper()
	w.later += time.Hour
	if err := w.db.Exec(`DELETE FROM rate_windows`).Error; err != nil {
		w.t.Fatal(err)
	}
	path = w.paths.Replace(path)
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
