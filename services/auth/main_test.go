package auth

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const appURL = "http://localhost:3000"

// clock is a clock that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: models.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logBuffer collects the service's log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fixture is a service with its own database.
type fixture struct {
	*Service
	db    *gorm.DB
	clock *clock
	log   *logBuffer
}

// Delete deletes an account.
func (f fixture) Delete(ctx context.Context, userID int64) error {
	return (&account.Service{DB: f.db, Log: slog.New(slog.DiscardHandler)}).Delete(ctx, userID)
}

func newFixture(t *testing.T, providers ...ProviderConfig) fixture {
	t.Helper()
	f := fixture{db: dbtest.New(t), clock: newClock(), log: &logBuffer{}}
	accounts := account.Service{DB: f.db, Now: f.clock.Now, Log: slog.New(slog.NewJSONHandler(f.log, nil))}
	s, err := New(Options{
		DB: f.db, AppURL: appURL, Claim: accounts.Claim, Providers: providers, AdminEmails: []string{"Admin@example.com "},
		Secrets: seal.Secrets{testSecret},
		Log:     slog.New(slog.NewJSONHandler(f.log, nil)), Now: f.clock.Now,
	})
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	f.Service = s
	return f
}

// signInAs signs a user in with this profile, without a provider.
func (f fixture) signInAs(t *testing.T, p profile) models.User {
	t.Helper()
	user, err := f.trySignIn(t.Context(), p)
	if err != nil {
		t.Fatalf("sign in %s: %v", p.Subject, err)
	}
	return user
}

func (f fixture) trySignIn(ctx context.Context, p profile) (models.User, error) {
	person, ok := p.clean()
	if !ok {
		return models.User{}, fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return f.signIn(ctx, ProviderConfig{Name: "oidc", Issuer: "https://id.example.com"}, person, "de")
}

// emailOf returns a user's address, "" for none.
func (f fixture) emailOf(t *testing.T, userID int64) string {
	t.Helper()
	account, err := f.Account(t.Context(), userID)
	if err != nil {
		t.Fatalf("account %d: %v", userID, err)
	}
	return account.Email
}

func (f fixture) count(t *testing.T, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := f.db.Raw(query, args...).Scan(&n).Error; err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// checkoutUser creates a user as a Checkout does: with an address and without identities.
func (f fixture) checkoutUser(t *testing.T, email string) int64 {
	t.Helper()
	var id int64
	if err := f.db.Raw("INSERT INTO users (email) VALUES (?) RETURNING id", email).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	return id
}

// wantProblem checks the fault of a failed sign-in.
func wantProblem(t *testing.T, err error, want fault.Problem) {
	t.Helper()
	if got := fault.Of(err); got == nil || got.Code != fault.Malformed || got.Problem != want {
		t.Errorf("got error %v, want %s: %s", err, fault.Malformed, want)
	}
}
