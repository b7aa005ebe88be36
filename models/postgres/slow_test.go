package postgres_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/logging"
)

// output collects log lines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// However a value reaches the database, the log of its statement does not hold it.
func TestSlowStatementsHoldNoValue(t *testing.T) {
	t.Parallel()
	const canary = "Anna Canary-Musterfrau"
	address := dbtest.URL(t)
	for name, address := range map[string]string{
		"directly": address, "through a pooler": dbtest.Pooler(t, address) + "&pgbouncer=true",
	} {
		t.Run(name, func(t *testing.T) {
			var out output
			db, err := postgres.OpenTraced(address, logging.NewLogger(&out, slog.LevelDebug, "json"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { postgres.Close(db) })
			price := models.Price{StripePriceID: canary + name, CreditsPerUnit: 1, Currency: "eur"}
			for way, run := range map[string]func(*gorm.DB) error{
				"Create": func(db *gorm.DB) error { return db.Create(&price).Error },
				"Raw and Scan": func(db *gorm.DB) error {
					return db.Raw(`SELECT * FROM users WHERE name = ?`, canary).Scan(&[]models.User{}).Error
				},
				"Raw with names": func(db *gorm.DB) error {
					return db.Raw(`SELECT id FROM users WHERE name = @name`, sql.Named("name", canary)).Scan(new([]int64)).Error
				},
				"Row": func(db *gorm.DB) error {
					var n int
					return db.Raw(`SELECT count(*) FROM users WHERE name = ?`, canary).Row().Scan(&n)
				},
				"Exec":  func(db *gorm.DB) error { return db.Exec(`SELECT ?::text`, canary).Error },
				"Where": func(db *gorm.DB) error { return db.Where("name = ?", canary).Find(&[]models.User{}).Error },
				"In": func(db *gorm.DB) error {
					return db.Where("name IN ?", []string{canary, "x"}).Find(&[]models.User{}).Error
				},
				"an error": func(db *gorm.DB) error {
					_ = db.Exec(`SELECT ?::integer`, canary).Error
					return nil
				},
				"a transaction": func(db *gorm.DB) error {
					return postgres.Transaction(context.Background(), db, func(tx models.Tx) error {
						return tx.Exec(`UPDATE users SET name = ?`, canary).Error
					})
				},
			} {
				before := out.String()
				if err := run(db); err != nil {
					t.Errorf("%s: %v", way, err)
				}
				if line := strings.TrimPrefix(out.String(), before); !strings.Contains(line, `"msg":"slow statement"`) {
					t.Errorf("%s: log %q, want a slow statement", way, line)
				}
			}
			if strings.Contains(out.String(), "Canary") {
				t.Errorf("the log holds a value:\n%s", out.String())
			}
		})
	}
}

// A statement that never gets a connection is not slow: PostgreSQL has not seen it.
func TestWaitingForAConnectionIsNoSlowStatement(t *testing.T) {
	t.Parallel()
	var out output
	db, err := postgres.OpenTraced(dbtest.URL(t), slog.New(slog.NewJSONHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	taken, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	before := out.String()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- db.WithContext(ctx).Exec(`SELECT 1`).Error }()
	dbtest.Eventually(t, "the statement waits for a connection", func() bool { return pool.Stats().WaitCount > 0 })
	cancel()
	if err := <-failed; err == nil {
		t.Error("the statement ran, want it to be cancelled")
	}
	if line := strings.TrimPrefix(out.String(), before); line != "" {
		t.Errorf("log %q, want none", line)
	}
}
