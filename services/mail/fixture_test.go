package mail_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/sandbox/mailbox"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is the service with a user, and a mail server that can fail.
type fixture struct {
	*mail.Service
	t     *testing.T
	user  models.User
	box   *mailbox.Server
	ahead time.Duration // of our clock to the database's, by which stored letters are due
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	box, err := mailbox.Start(t.Context(), "127.0.0.1:0", quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close(t.Context()) })
	db := dbtest.New(t)
	f := &fixture{t: t, user: dbtest.User(t, db, "ada@example.com"), box: box, ahead: time.Second}
	server, err := mail.NewServer(box.SMTPURL())
	if err != nil {
		t.Fatal(err)
	}
	f.Service = &mail.Service{DB: db, Server: server, From: "credits@example.com",
		Operators: []string{"admin@example.com"}, Now: func() time.Time { return models.Now().Add(f.ahead) }, Log: quiet,
		Write: func(l models.Letter, to mail.Recipient) (mail.Content, error) {
			terms := mail.Attachment{Name: "terms.txt", ContentType: "text/plain; charset=utf-8", Content: []byte("§ 1")}
			return mail.Content{Subject: "About " + l.Key, Text: "Hello " + to.Name + "\n", HTML: "<p>Hello</p>",
				Attachments: []mail.Attachment{terms}}, nil
		}}
	return f
}

// add stores a letter to the user, as due now.
func (f *fixture) add(about string) {
	f.t.Helper()
	f.addTo(mail.Letter{Kind: models.LetterWithdrawalReceived, About: about, UserID: &f.user.ID, Locale: "en"})
}

func (f *fixture) addTo(l mail.Letter) {
	f.t.Helper()
	if err := postgres.Transaction(f.t.Context(), f.DB, func(tx models.Tx) error { return mail.Add(tx, l) }); err != nil {
		f.t.Error(err)
	}
}

// send tries to send what is due. A mail server that is away is not an error of the test.
func (f *fixture) send() { _ = f.SendDue(f.t.Context()) }

// want checks the state of the letter about something.
func (f *fixture) want(when, about string, status models.LetterStatus, attempts int, cause models.Cause) {
	f.t.Helper()
	var l models.Letter
	if err := f.DB.Take(&l, "key = ?", about).Error; err != nil {
		f.t.Fatal(err)
	}
	got, want := fmt.Sprintf("%s after %d attempts, %q", l.Status, l.Attempts, l.LastError),
		fmt.Sprintf("%s after %d attempts, %q", status, attempts, cause)
	if got != want {
		f.t.Errorf("%s: the letter is %s; want %s", when, got, want)
	}
}
