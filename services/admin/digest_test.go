package admin_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
)

// The operator gets one letter about each day on which something happened, whichever replicas write it.
func TestDigest(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	today := models.Now().Truncate(24 * time.Hour)
	for reason, delta := range map[models.Reason]models.Credits{models.ReasonManual: 100, models.ReasonRefund: -20} {
		err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
			_, err := ledger.Post(tx, ledger.Entry{UserID: user.ID, Delta: delta, Reason: reason})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	digests := func(when string, now time.Time, want int) (found []mail.Digest) {
		t.Helper()
		dbtest.Concurrently(20, func(int) {
			if err := s.WriteDigest(t.Context(), now); err != nil {
				t.Error(err)
			}
		})
		var args []string
		if err := db.Raw(`SELECT args FROM letters WHERE kind = 'operator_digest' ORDER BY key`).Scan(&args).Error; err != nil || len(args) != want {
			t.Fatalf("%s: %d digests (%v), want %d", when, len(args), err, want)
		}
		for _, a := range args {
			var d mail.Digest
			if err := json.Unmarshal([]byte(a), &d); err != nil {
				t.Fatal(err)
			}
			found = append(found, d)
		}
		return found
	}
	digests("before the day is over", today.Add(23*time.Hour), 0)
	digests("right after midnight", today.Add(28*time.Hour), 0)
	d := digests("in the morning", today.Add(30*time.Hour), 1)[0]
	if !d.Day.Equal(today) || d.Returned != 20 || d.Sold != 0 || len(d.Revenue) != 0 {
		t.Errorf("digest = %+v, want that of %s with 20 credits returned", d, today.Format(time.DateOnly))
	}
	digests("after a day without any use", today.Add(54*time.Hour), 1)
	if err := db.Exec(`INSERT INTO letters (id, kind, key, locale, status, last_error, created_at)
		SELECT gen_random_uuid(), 'operator_event', 'evt_' || n, 'en', 'dropped', CASE n WHEN 1 THEN '' ELSE 'mail_limit' END, ?
		FROM generate_series(1, 4) n`, today.Add(50*time.Hour)).Error; err != nil {
		t.Fatal(err)
	}
	if d := digests("after a day on which letters were held back", today.Add(78*time.Hour), 2)[1]; d.Unsent != 3 {
		t.Errorf("digest says that %d letters were not sent, want 3", d.Unsent)
	}
	letters := &mail.Service{DB: db}
	if err := letters.SaveSettings(t.Context(), mail.Settings{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(`UPDATE installations SET digested_on = CAST(? AS date) - 1`, today.Format(time.DateOnly)).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(`DELETE FROM letters`).Error; err != nil {
		t.Fatal(err)
	}
	digests("once it is switched off", today.Add(30*time.Hour), 0)
}
