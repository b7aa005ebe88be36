package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// statements is a log of every statement, however fast.
type statements struct {
	logger.Interface
	texts []string
}

// Trace logs a statement.
func (s *statements) Trace(_ context.Context, _ time.Time, text func() (string, int64), _ error) {
	statement, _ := text()
	s.texts = append(s.texts, statement)
}

func TestLoggedStatementsCarryNoValues(t *testing.T) {
	t.Parallel()
	log := &statements{}
	db := dbtest.New(t).Session(&gorm.Session{Logger: log})
	const secret = "ada@example.com"
	var users []models.User
	for name, run := range map[string]func() *gorm.DB{
		"Raw, Scan":   func() *gorm.DB { return db.Raw(`SELECT id FROM users WHERE email = ?`, secret).Scan(&users) },
		"Raw, Find":   func() *gorm.DB { return db.Raw(`SELECT id FROM users WHERE email = ?`, secret).Find(&users) },
		"Where, Find": func() *gorm.DB { return db.Where("email = ?", secret).Find(&users) },
		"Exec":        func() *gorm.DB { return db.Exec(`UPDATE users SET name = ? WHERE false`, secret) },
	} {
		log.texts = nil
		if err := run().Error; err != nil {
			t.Fatal(err)
		}
		if len(log.texts) != 1 || strings.Contains(log.texts[0], secret) || !strings.Contains(log.texts[0], "$1") {
			t.Errorf("%s logged %q, want one statement with a placeholder", name, log.texts)
		}
	}
}
