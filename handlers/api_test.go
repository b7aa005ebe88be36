package handlers

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
	"github.com/resume-matcher/credits/services/seal"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// fixture is the whole server on a database of its own, called in this process.
type fixture struct {
	t       testing.TB
	db      *gorm.DB
	app     *fiber.App
	handler *Handler
	priceID string // Stripe's, of 500 credits
}

var testSecrets = seal.Secrets{[]byte("0123456789abcdef0123456789abcdef")}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	db, quiet := dbtest.New(t), slog.New(slog.DiscardHandler)
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	signIn, err := auth.New(auth.Options{DB: db, AppURL: "http://localhost", Secrets: testSecrets, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	limits := limit.New(db, nil)
	withdrawals := &withdrawal.Service{DB: db, Now: models.Now, Log: quiet}
	prices, spends := &catalog.Service{DB: db, Log: quiet}, &spend.Service{DB: db, Log: quiet}
	entries := &ledger.Service{DB: db}
	h := &Handler{
		Site:     Site{AppURL: "http://localhost", Texts: texts, Log: quiet},
		Sessions: NewSessions(signIn.Sessions(), testSecrets, false), Auth: signIn,
		Keys: apikey.New(db, limits, quiet, nil), Limits: limits,
		Catalog: prices, Ledger: entries, Spend: spends,
		Admin: &admin.Service{DB: db, Log: quiet},
		Account: &account.Service{DB: db, Purchase: &purchase.Service{DB: db, Now: models.Now, Log: quiet},
			Catalog: prices, Spend: spends, Ledger: entries, Withdrawal: withdrawals, Identities: signIn,
			Sessions: signIn.Sessions(), Now: models.Now, Log: quiet},
		Withdrawal: withdrawals,
		Reconcile:  &reconcile.Service{DB: db, Now: models.Now, Log: quiet},
		Mail:       &mail.Service{DB: db, Now: models.Now, Log: quiet},
	}
	return &fixture{t: t, db: db, app: NewApp(h), handler: h}
}

// sell starts a Stripe stand-in and puts the packages on sale.
func (f *fixture) sell() {
	f.t.Helper()
	const key = "sk_test_0123456789abcdef"
	quiet := slog.New(slog.DiscardHandler)
	server, err := standin.Start(context.Background(),
		standin.Options{DatabaseURL: dbtest.URLOf(f.db), Listen: "127.0.0.1:0", SecretKey: key,
			WebhookURL: "http://127.0.0.1:9/unreachable", WebhookSecrets: []string{"whsec_0123456789"}, Log: quiet})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { server.Close(context.Background()) })
	f.handler.Purchase = &purchase.Service{DB: f.db, Stripe: stripeapi.New(key, server.URL()), AppURL: "http://localhost",
		Now: models.Now, Log: quiet}
	f.handler.Withdrawal.Purchases, f.handler.Account.Purchase = f.handler.Purchase, f.handler.Purchase
	f.handler.Catalog.Stripe = f.handler.Purchase.Stripe
	if _, err := f.handler.Catalog.Sync(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

// user stores a user with credits.
func (f *fixture) user(email string, credits models.Credits) models.User {
	f.t.Helper()
	user := dbtest.User(f.t, f.db, email)
	f.credit(user.ID, credits)
	return user
}

func (f *fixture) credit(userID int64, credits models.Credits) {
	f.t.Helper()
	if credits == 0 {
		return
	}
	err := postgres.Transaction(context.Background(), f.db, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: userID, Delta: credits, Reason: models.ReasonManual,
			Meta: models.Meta{Actor: "operator", Note: "test"}})
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// signIn signs a user in and returns the cookie.
func (f *fixture) signIn(userID int64) string {
	f.t.Helper()
	own := func() (found []models.Identity) {
		if err := f.db.Raw(`SELECT issuer, subject FROM identities WHERE user_id = ? ORDER BY created_at, subject`, userID).
			Scan(&found).Error; err != nil {
			f.t.Fatal(err)
		}
		return found
	}
	if len(own()) == 0 {
		err := f.db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified)
			SELECT 'https://id.example.com', id::text, id, 'test', coalesce(lower(email), ''), email IS NOT NULL FROM users WHERE id = ?`, userID).Error
		if err != nil {
			f.t.Fatal(err)
		}
	}
	// A sign-in with an admin's address stores this right.
	err := f.db.Exec(`INSERT INTO admin_identities (email, issuer, subject)
		SELECT email, issuer, subject FROM identities WHERE user_id = ? AND email_verified ON CONFLICT DO NOTHING`, userID).Error
	if err != nil {
		f.t.Fatal(err)
	}
	in := auth.SignIn{User: models.User{ID: userID}, Issuer: own()[0].Issuer, Subject: own()[0].Subject,
		Reauthenticated: true}
	key, err := f.handler.Sessions.rows.Open(context.Background(), in, "")
	if err != nil {
		f.t.Fatal(err)
	}
	return f.handler.Sessions.cookie() + "=" + key
}

// serviceKey creates a key and returns its id and its header line.
func (f *fixture) serviceKey(scope string) (uuid.UUID, string) {
	f.t.Helper()
	key, plaintext, err := f.handler.Keys.Create(context.Background(),
		apikey.Request{Name: "Test", Scopes: []string{scope}})
	if err != nil {
		f.t.Fatal(err)
	}
	return key.ID, "Authorization: Bearer " + plaintext
}

// reply is a response with its body read.
type reply struct {
	status int
	header http.Header
	body   string
}

// refusal returns the envelope of an error.
func (r reply) refusal(t testing.TB) envelope {
	t.Helper()
	var e envelope
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || e.Error.Code == "" || e.Error.Message == "" ||
		e.RequestID == "" || e.RequestID != r.header.Get("X-Request-ID") {
		t.Errorf("status %d: body %s, want a complete error envelope", r.status, r.body)
	}
	return e
}

// call sends one request; header lines are "Name: value".
func (f *fixture) call(method, path, body string, header ...string) reply {
	f.t.Helper()
	req := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Content-Type":
			req.Header.Del(name)
		case "Host":
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	res, err := f.app.Test(req, -1)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	r := reply{res.StatusCode, res.Header, string(text)}
	name, _, _ := strings.Cut(r.flash(), flashSeparator)
	if _, known := flashes[name]; name != "" && !known {
		f.t.Errorf("%s %s stores the message %q, which is not in flashes", method, path, name)
	}
	return r
}

// entryCount counts the entries in the ledger.
func (f *fixture) entryCount() (n int64) {
	f.t.Helper()
	if err := f.db.Raw(`SELECT count(*) FROM credit_transactions`).Scan(&n).Error; err != nil {
		f.t.Fatal(err)
	}
	return n
}
