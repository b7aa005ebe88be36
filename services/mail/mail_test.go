package mail_test

import (
	"bytes"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/sandbox/mailbox"
)

// A letter exists if and only if its transaction has committed, and once, however often its cause is reported.
func TestLettersBelongToTheirTransaction(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	rolledBack := errors.New("rolled back")
	err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		return errors.Join(mail.Add(tx, mail.Letter{Kind: models.LetterWithdrawalReceived, About: "nothing",
			UserID: &f.user.ID, Locale: "en"}), rolledBack)
	})
	if !errors.Is(err, rolledBack) {
		t.Fatalf("error = %v, want only %v", err, rolledBack)
	}
	dbtest.Concurrently(20, func(int) { f.add("once") })
	f.send()
	letters := f.box.Letters()
	if len(letters) != 1 || letters[0].Subject != "About once" || letters[0].Copies != 1 {
		t.Fatalf("%d letters arrived (%+v), want one about once", len(letters), letters)
	}
	l := letters[0]
	if strings.Join(l.To, ",") != "ada@example.com" || l.From != "credits@example.com" ||
		!strings.HasSuffix(l.MessageID, "@example.com") || !strings.HasPrefix(l.Text, "Hello Test User") || l.HTML == "" ||
		len(l.Files) != 1 || string(l.Files[0].Content) != "§ 1" {
		t.Errorf("letter = %+v, want it complete, from credits@example.com to ada@example.com", l)
	}
	f.want("afterwards", "once", models.LetterSent, 1, "")
}

// Whatever the mail server does, a letter is sent once it works again, unless it was refused for good.
func TestMailServerFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault    mailbox.Fault
		status   models.LetterStatus
		cause    models.Cause
		received int // copies in the end
	}{
		{mailbox.Busy, models.LetterWaiting, "mail_refused 451", 1},
		{mailbox.Closed, models.LetterWaiting, "mail_away", 1},
		{mailbox.Cut, models.LetterWaiting, "mail_away", 2},
		{mailbox.Forgetful, models.LetterWaiting, "mail_refused 451", 2},
		{mailbox.Unknown, models.LetterFailed, "mail_address 550", 0},
		{mailbox.Spam, models.LetterFailed, "mail_refused 554", 0},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.add("first")
			f.add("second")
			f.box.SetFault(c.fault)
			f.send()
			for _, about := range []string{"first", "second"} {
				f.want("with the fault", about, c.status, 1, c.cause)
			}
			f.box.SetFault(mailbox.Good)
			f.send()
			if n := len(f.box.Letters()); n > 0 && c.received < 2 {
				t.Errorf("%d letters arrived before they were due again, want none", n)
			}
			f.ahead += 3 * time.Minute
			f.send()
			for _, l := range f.box.Letters() {
				if l.Copies > c.received {
					t.Errorf("%s arrived %d times, want at most %d", l.Subject, l.Copies, c.received)
				}
			}
			if want := 2 * min(c.received, 1); len(f.box.Letters()) != want {
				t.Errorf("%d letters in the end, want %d", len(f.box.Letters()), want)
			}
		})
	}
}

// Twenty workers send each letter once.
func TestWorkersShareTheLetters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const letters = 60
	for i := range letters {
		f.add(strings.Repeat("x", i+1))
	}
	dbtest.Concurrently(20, func(int) {
		if err := f.SendDue(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if got := f.box.Letters(); len(got) != letters {
		t.Errorf("%d letters arrived, want %d", len(got), letters)
	}
	for _, l := range f.box.Letters() {
		if l.Copies != 1 {
			t.Errorf("%s arrived %d times, want once", l.Subject, l.Copies)
		}
	}
}

// A worker that comes to a letter after another has sent it does not send it again.
func TestOverlappingClaimsSendOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add("x")
	write, attempts := f.Write, 0
	f.Write = func(l models.Letter, to mail.Recipient) (mail.Content, error) {
		if attempts++; attempts == 2 {
			if err := f.DB.Exec(`UPDATE letters SET status = 'sent', sent_at = now()`).Error; err != nil {
				t.Error(err)
			}
		}
		return write(l, to)
	}
	f.box.SetFault(mailbox.Cut)
	f.send()
	f.box.SetFault(mailbox.Good)
	f.ahead += 3 * time.Minute
	f.send()
	if got := f.box.Letters(); len(got) != 1 || got[0].Copies != 1 || attempts != 2 {
		t.Errorf("%d attempts, letters = %+v; want two attempts, of which one sends", attempts, got)
	}
}

// A letter that no server accepts within 72 hours fails, also without any server.
func TestLettersExpire(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Server = nil
	f.add("old")
	f.ahead += 71 * time.Hour
	f.send()
	f.want("after 71 hours", "old", models.LetterWaiting, 0, "")
	f.ahead += 2 * time.Hour
	f.send()
	f.want("after 73 hours", "old", models.LetterFailed, 0, models.CauseMailUnset)
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gone := dbtest.User(t, f.DB, "gone@example.com")
	for about, l := range map[string]mail.Letter{"operator": {}, "stranger": {Recipient: "grace@example.com"},
		"deleted": {UserID: &gone.ID}} {
		l.Kind, l.About, l.Locale = models.LetterWithdrawalReceived, about, "de"
		f.addTo(l)
	}
	if err := f.DB.Exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now() WHERE id = ?`, gone.ID).Error; err != nil {
		t.Fatal(err)
	}
	f.send()
	to := map[string]string{}
	for _, l := range f.box.Letters() {
		to[l.Subject] = strings.Join(l.To, ",")
	}
	if len(to) != 2 || to["About operator"] != "admin@example.com" || to["About stranger"] != "grace@example.com" {
		t.Errorf("letters went to %v, want the operator and the stranger", to)
	}
	f.want("after the account was deleted", "deleted", models.LetterDropped, 1, "")
}

// Whatever a name contains, it arrives as the name of the user's one address.
func TestNamesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	names := []string{`Ada "Byte" Lovelace`, `Ädä "Ω" <Lovelace>`, `Eve" <victim@example.com>, "`, `Eve" <victim@example.com> (`,
		`O'Hara, Ltd.; \ (the first)`, `"`, `=?utf-8?q?Eve?=`}
	for i, name := range names {
		if err := f.DB.Exec(`UPDATE users SET name = ? WHERE id = ?`, name, f.user.ID).Error; err != nil {
			t.Fatal(err)
		}
		f.add(fmt.Sprint(i))
		f.send()
		all := f.box.Letters()
		if len(all) != i+1 {
			t.Fatalf("%d letters after the name %q, want %d", len(all), name, i+1)
		}
		message, err := netmail.ReadMessage(bytes.NewReader(all[0].Source))
		if err != nil {
			t.Fatal(err)
		}
		to, err := message.Header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != "ada@example.com" || to[0].Name != name {
			t.Errorf("To: %s (%v), want ada@example.com named %q", message.Header.Get("To"), err, name)
		}
	}
}

// Nothing that a person has typed adds a header or a recipient.
func TestNothingIsInjected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	evil := "Eve\r\nBcc: victim@example.com\r\n\r\nBuy <b>now</b>"
	if err := f.DB.Exec(`UPDATE users SET name = ? WHERE id = ?`, evil, f.user.ID).Error; err != nil {
		t.Fatal(err)
	}
	write := f.Write
	f.Write = func(l models.Letter, to mail.Recipient) (mail.Content, error) {
		content, err := write(l, to)
		content.Subject += to.Name
		return content, err
	}
	f.add("x")
	for about, address := range map[string]string{"two": "a@example.com, b@example.com",
		"break": "a@example.com\r\nRCPT TO:<b@example.com>", "long": strings.Repeat("a", 300) + "@example.com", "nothing": "@"} {
		f.addTo(mail.Letter{Kind: models.LetterWithdrawalReceived, About: about, Recipient: address, Locale: "en"})
	}
	f.send()
	for _, l := range f.box.Letters() {
		head, _, _ := strings.Cut(string(l.Source), "\r\n\r\n")
		if len(l.To) != 1 || strings.Contains(head, "\r\nBcc:") || strings.Contains(l.Subject, "\n") {
			t.Errorf("letter to %q has the head\n%s\nwant one recipient and no Bcc", l.To, head)
		}
		if l.To[0] != "ada@example.com" && !strings.HasPrefix(l.To[0], "aaa") {
			t.Errorf("a letter went to %q, want none to an address that is not one", l.To)
		}
	}
	f.want("to two addresses", "two", models.LetterFailed, 1, models.CauseMailAddress)
	f.want("to an address with a line break", "break", models.LetterFailed, 1, models.CauseMailAddress)
}
