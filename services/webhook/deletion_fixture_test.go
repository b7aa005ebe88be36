package webhook

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
)

// personalTexts occur in the database only as personal data of the fixture's user.
var personalTexts = []string{"ada@example.com", "Lovelace", "subject-of-ada"}

const customerDetails = `"customer_details":{"email":"Ada@example.com","name":"Ada Lovelace","address":{"line1":"Lovelace Street"}},`

// deletionFixture is a fixture whose user has an identity, a session and an account service.
type deletionFixture struct {
	*fixture
	auth     *auth.Service
	accounts *account.Service
}

func newDeletionFixture(t *testing.T) deletionFixture {
	t.Helper()
	s := newFixture(t)
	service, err := auth.New(auth.Options{DB: s.DB, AppURL: "https://credits.example.com"})
	s.must(err)
	s.must(s.DB.Exec(`UPDATE users SET name = 'Ada Lovelace', locale = 'en' WHERE id = ?`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
		VALUES ('https://id.example.com', 'subject-of-ada', ?, 'oidc', 'ada@example.com', true, 'Ada Lovelace')`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO sessions (key_hash, user_id, device, expires_at)
		VALUES ('k', ?, 'Firefox', now() + interval '1 day')`, s.user).Error)
	return deletionFixture{s, service, &account.Service{DB: s.DB, Purchase: s.Purchase, Now: s.Now, Log: s.Log}}
}

func (f deletionFixture) post(e ledger.Entry) {
	f.t.Helper()
	f.must(postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, e)
		return err
	}))
}

func (f deletionFixture) deleteAccount() {
	f.t.Helper()
	f.must(f.accounts.Delete(context.Background(), f.user))
	f.must(f.accounts.EraseDue(context.Background()))
}

// wantNoTrace checks that no personal data is left once the letters of the deletion have ended, at the latest when they
// expire.
func (f deletionFixture) wantNoTrace() {
	f.t.Helper()
	letters := &mail.Service{DB: f.DB, Now: func() time.Time { return models.Now().Add(73 * time.Hour) }, Log: f.Log}
	f.must(letters.SendDue(context.Background()))
	for _, trace := range dbtest.Traces(f.t, f.DB, personalTexts...) {
		f.t.Errorf("personal data left in %s", trace)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

// apply applies one operation and returns its error.
func apply(tx models.Tx, op ledger.Op) error {
	if err := ledger.Apply(tx, op); err != nil {
		return err
	}
	return op.Err()
}

func spendOp(user int64, key string) *ledger.PostOp {
	return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Reason: "job_match", Meta: models.Meta{IdempotencyKey: key}}}
}
