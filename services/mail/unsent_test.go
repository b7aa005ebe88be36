package mail_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/sandbox/mailbox"
)

// Admins see the letters that failed, send them again under the same Message-ID, or close them.
func TestUnsentLetters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, about := range []string{"again", "closed", "later"} {
		f.add(about)
	}
	if n := f.countUnsent(); n != 0 {
		t.Errorf("%d letters not sent at once, want none: they have just been stored", n)
	}
	f.box.SetFault(mailbox.Spam)
	f.send()
	rows, err := f.Unsent(t.Context(), 2)
	if err != nil || len(rows) != 2 || rows[0].Key != "again" || rows[0].UserName != "Test User" ||
		rows[0].LastError != models.CauseMailRefused.Of("554") || f.countUnsent() != 3 {
		t.Fatalf("unsent letters = %+v (%v) of %d, want the first two of three, refused with 554", rows, err, f.countUnsent())
	}
	f.box.SetFault(mailbox.Good)
	dbtest.Concurrently(20, func(int) {
		if err := f.Retry(t.Context(), rows[0].ID.String()); err != nil && !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		f.send()
	})
	if err := f.Close(t.Context(), rows[1].ID.String()); err != nil {
		t.Error(err)
	}
	f.want("after being sent again", "again", models.LetterSent, 1, "")
	f.want("after being closed", "closed", models.LetterDropped, 1, models.CauseMailRefused.Of("554"))
	for _, id := range []string{rows[0].ID.String(), rows[1].ID.String(), uuid.NewString(), "x"} {
		if err := f.Retry(t.Context(), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("retry of %s: %v, want %s", id, err, fault.NotFound)
		}
	}
	if n, err := f.RetryFailed(t.Context()); err != nil || n != 1 {
		t.Errorf("%d letters sent again (%v), want the one that was neither sent nor closed", n, err)
	}
	f.send()
	if got := f.box.Letters(); len(got) != 2 || got[0].Copies != 1 || got[1].Copies != 1 || f.countUnsent() != 0 {
		t.Errorf("%d letters arrived (%+v), want two, once each, and none left", len(got), got)
	}
	var audited string
	err = f.DB.Raw(`SELECT string_agg(DISTINCT action, ' ') FROM audit_log`).Scan(&audited).Error
	if err != nil || audited != "letter.close letter.retry" {
		t.Errorf("audited actions = %q (%v), want letter.close and letter.retry", audited, err)
	}
}

func (f *fixture) countUnsent() int64 {
	f.t.Helper()
	n, err := f.CountUnsent(f.t.Context())
	if err != nil {
		f.t.Error(err)
	}
	return n
}

// A letter that has waited for an hour is listed, and can be sent again once no worker can still be sending it. Its 72
// hours begin anew.
func TestWaitingLettersAreListed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add("waits")
	f.box.SetFault(mailbox.Busy)
	f.send()
	err := f.DB.Exec(`UPDATE letters SET created_at = now() - interval '2 hours', expires_at = now() + interval '1 minute',
		next_attempt_at = now() + interval '6 hours'`).Error
	if err != nil {
		t.Fatal(err)
	}
	rows, err := f.Unsent(t.Context(), 1)
	if err != nil || len(rows) != 1 || f.Retry(t.Context(), rows[0].ID.String()) != nil {
		t.Fatalf("unsent letters = %+v (%v), want the waiting one, which can be sent again", rows, err)
	}
	f.box.SetFault(mailbox.Good)
	f.ahead = time.Minute
	f.send()
	f.want("a minute later", "waits", models.LetterWaiting, 1, models.CauseMailRefused.Of("451"))
	f.ahead = 3 * time.Minute
	f.send()
	f.want("three minutes later", "waits", models.LetterSent, 2, "")
}

// The user is marked while the mail server refuses the address that the account has.
func TestBounces(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bounced := func(when string, want models.Cause) {
		t.Helper()
		b, err := f.Bounce(t.Context(), f.user.ID)
		if err != nil || (b == nil) != (want == "") || b != nil && b.Cause != want {
			t.Errorf("%s: bounce = %+v (%v), want %q", when, b, err, want)
		}
	}
	f.box.SetFault(mailbox.Spam)
	f.add("refused")
	f.send()
	bounced("after the content was refused", "")
	f.box.SetFault(mailbox.Unknown)
	f.addTo(mail.Letter{Kind: models.LetterWithdrawalReceived, About: "stranger", UserID: &f.user.ID,
		Recipient: "grace@example.com"})
	f.send()
	bounced("after another address was refused", "")
	f.add("unknown")
	f.send()
	bounced("after the address was refused", models.CauseMailAddress.Of("550"))
	for _, c := range []struct {
		address string
		want    models.Cause
	}{{"new@example.com", ""}, {"ada@example.com", models.CauseMailAddress.Of("550")}} {
		if err := f.DB.Exec(`UPDATE users SET email = ?`, c.address).Error; err != nil {
			t.Fatal(err)
		}
		bounced("with the address "+c.address, c.want)
	}
	f.box.SetFault(mailbox.Good)
	f.add("good")
	f.send()
	bounced("after the address was accepted", "")
}

// A letter that is still owed to a deleted account is erased once it has failed or an admin has closed it.
func TestLettersToDeletedAccountsAreErased(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, about := range []string{"closed", "expired"} {
		f.addTo(mail.Letter{Kind: models.LetterAccountDeleted, About: about, UserID: &f.user.ID, Recipient: "ada@example.com",
			Args: mail.AccountDeleted{At: f.Now()}})
	}
	f.exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now()`)
	f.Server = nil
	var id string
	if err := f.DB.Raw(`SELECT id FROM letters WHERE key = 'closed'`).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.Close(t.Context(), id); err != nil {
		t.Error(err)
	}
	f.ahead += 73 * time.Hour
	f.send()
	var kept int64
	err := f.DB.Raw(`SELECT count(*) FROM letters WHERE recipient <> '' OR args <> '{}' OR status = 'waiting'`).Scan(&kept).Error
	if err != nil || kept != 0 {
		t.Errorf("%d letters kept their address or words (%v), want none", kept, err)
	}
}
