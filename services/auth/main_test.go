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

// clock is a time that the test moves.
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

// logged collects what the service logs.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fixture is a service on a database of its own.
type fixture struct {
	*Service
	db    *gorm.DB
	clock *clock
	log   *logged
}

// Delete deletes an account while users sign in.
func (f fixture) Delete(ctx context.Context, userID int64) error {
	return (&account.Service{DB: f.db, Log: slog.New(slog.DiscardHandler)}).Delete(ctx, userID)
}

func newFixture(t *testing.T, providers ...ProviderConfig) fixture {
	t.Helper()
	f := fixture{db: dbtest.New(t), clock: newClock(), log: &logged{}}
	s, err := New(Options{
		DB: f.db, AppURL: appURL, Providers: providers, AdminEmails: []string{"Admin@example.com "}, Secrets: seal.Secrets{testSecret},
		Log: slog.New(slog.NewJSONHandler(f.log, nil)), Now: f.clock.Now,
	})
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	f.Service = s
	return f
}

// arrive signs somebody in at the database's door, without a provider.
func (f fixture) arrive(t *testing.T, p profile) models.User {
	t.Helper()
	user, err := f.tryToArrive(t.Context(), p)
	if err != nil {
		t.Fatalf("sign in %s: %v", p.Subject, err)
	}
	return user
}

func (f fixture) tryToArrive(ctx context.Context, p profile) (models.User, error) {
	who, ok := p.clean()
	if !ok {
		return models.User{}, fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return f.signIn(ctx, ProviderConfig{Name: "oidc", Issuer: "https://id.example.com"}, who, "de")
}

// emailOf reads a user's address, "" for none.
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

// checkoutUser is what a Checkout's e-mail address makes: a user nobody has signed in as.
func (f fixture) checkoutUser(t *testing.T, email string) int64 {
	t.Helper()
	var id int64
	if err := f.db.Raw("INSERT INTO users (email) VALUES (?) RETURNING id", email).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	return id
}

// wantProblem checks what the user is told about a failed sign-in.
func wantProblem(t *testing.T, err error, want fault.Problem) {
	t.Helper()
	if told := fault.Of(err); told == nil || told.Code != fault.Malformed || told.Problem != want {
		t.Errorf("error = %v, want %s: %s", err, fault.Malformed, want)
	}
}
