package account_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/account"
)

// Letters to consumers without an account, and what they declared, are erased once they need not be retained any more.
func TestAnonymousWithdrawalsAreErased(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for _, statement := range []string{
		`INSERT INTO letters (id, kind, key, recipient, locale, args, text, status, sent_at, created_at)
			SELECT gen_random_uuid(), 'withdrawal_received', name, name || '@example.com', 'de', '{"id": "x"}', 'Text', 'sent', at, at
			FROM (VALUES ('old', now() - interval '10 years'), ('new', now() - interval '7 years')) l (name, at)`,
		`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, received_at, handled_at)
			SELECT gen_random_uuid(), name, name, name || '@example.com', '100 Credits', 'de', at, CASE name WHEN 'open' THEN NULL ELSE at END
			FROM (VALUES ('old', now() - interval '10 years'), ('open', now() - interval '10 years'), ('new', now() - interval '7 years')) w (name, at)`,
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	s := &account.Service{DB: db, Now: models.Now, Log: slog.New(slog.DiscardHandler)}
	for _, job := range s.Jobs() {
		if job.Name == "erase anonymous letters" {
			if err := job.Work(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for query, want := range map[string]string{
		`SELECT string_agg(recipient || text, ' ' ORDER BY key) FROM letters WHERE kind = 'withdrawal_received' AND (recipient <> '' OR text <> '' OR args <> '{}')`: "new@example.comText",
		`SELECT string_agg(email || contract, ' ' ORDER BY email) FROM withdrawals WHERE email <> ''`:                                                                "new@example.com100 Credits open@example.com100 Credits",
	} {
		var got string
		if err := db.Raw(query).Scan(&got).Error; err != nil || got != want {
			t.Errorf("left are %q (%v), want %q", got, err, want)
		}
	}
}
