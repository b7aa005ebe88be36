package apikey

import (
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

var home = addressed("192.0.2.1")

func addressed(text string) limit.Sender { return limit.Address(netip.MustParseAddr(text)) }

// keyring is the key service of one replica, on the test's own database.
type keyring struct {
	*Service
	t     *testing.T
	db    *gorm.DB
	clock *clock
	log   *logged
	asked *atomic.Int64 // number of database queries
}

func newKeyring(t *testing.T) keyring {
	t.Helper()
	k := keyring{t: t, db: dbtest.New(t), clock: newClock(), log: &logged{}, asked: &atomic.Int64{}}
	err := k.db.Callback().Row().Before("gorm:row").Register("count", func(*gorm.DB) { k.asked.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	return k.replica()
}

// replica returns a second process on the same database, with the same clock and log.
func (k keyring) replica() keyring {
	k.Service = New(k.db, limit.New(k.db, k.clock.Now), slog.New(slog.NewJSONHandler(k.log, nil)), k.clock.Now)
	return k
}

// make creates a key with the scope spend.
func (k keyring) make(perMinute int, scopes ...string) (models.APIKey, string) {
	k.t.Helper()
	if scopes == nil {
		scopes = []string{models.ScopeSpend}
	}
	key, plaintext, err := k.Create(k.t.Context(), Request{Name: "Resume Matcher", Scopes: scopes, PerMinute: perMinute})
	if err != nil {
		k.t.Fatalf("create: %v", err)
	}
	return key, plaintext
}

func (k keyring) wantGood(plaintext string) models.APIKey {
	k.t.Helper()
	key, err := k.Verify(k.t.Context(), plaintext, home)
	if err != nil {
		k.t.Errorf("a good key is refused: %v", err)
	}
	return key
}

func (k keyring) wantRefused(plaintext string, from limit.Sender, want fault.Code) {
	k.t.Helper()
	key, err := k.Verify(k.t.Context(), plaintext, from)
	if !fault.Is(err, want) || key.ID != uuid.Nil {
		k.t.Errorf("verify = %v, %v, want %s", key.ID, err, want)
	}
}

func (k keyring) count(query string, args ...any) int64 {
	k.t.Helper()
	var n int64
	if err := k.db.Raw(query, args...).Scan(&n).Error; err != nil {
		k.t.Fatalf("%s: %v", query, err)
	}
	return n
}
