package e2e

import (
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// The defaults of a host, role or database are not the operator's mistake. With unusual ones and behind a pooler,
// signing in, buying, spending and a refund work as always.
func TestJourneyWithForeignDefaultsBehindAPooler(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	db, err := postgres.Open(direct, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	for _, setting := range []string{"datestyle = 'German, DMY'", "bytea_output = 'escape'",
		"timezone = 'America/St_Johns'",
		"intervalstyle = 'iso_8601'", "default_transaction_isolation = 'serializable'"} {
		if err := db.Exec(`ALTER DATABASE ` + strings.TrimPrefix(u.Path, "/") + ` SET ` + setting).Error; err != nil {
			t.Fatalf("set %s: %v", setting, err)
		}
	}
	s := start(t, "DATABASE_URL="+direct, "DATABASE_POOL_URL="+dbtest.Pooler(t, direct))
	journey(t, s, "en", "ada@example.com")
	dbtest.CheckLedger(t, db)
	if strings.Contains(s.out.String(), "level=ERROR") {
		t.Errorf("want no error in the log:\n%s", s.out)
	}
}
