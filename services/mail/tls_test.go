package mail_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// recorder is a session of a mail server that accepts everything, and counts the passwords and messages.
type recorder struct{ told *atomic.Int64 }

func (recorder) Reset()                   {}
func (recorder) Logout() error            { return nil }
func (recorder) AuthMechanisms() []string { return []string{sasl.Plain} }

func (r recorder) Auth(string) (sasl.Server, error) {
	r.told.Add(1)
	return sasl.NewPlainServer(func(string, string, string) error { return nil }), nil
}

func (r recorder) Mail(string, *smtp.MailOptions) error {
	r.told.Add(1)
	return nil
}

func (recorder) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (recorder) Data(io.Reader) error                 { return nil }

// startRecorder starts a mail server that counts in told the passwords and messages it receives.
func startRecorder(t *testing.T, certificate *tls.Config, atOnce bool) (address string, told *atomic.Int64) {
	t.Helper()
	told = &atomic.Int64{}
	address = startSMTP(t, certificate, atOnce, func(*smtp.Conn) (smtp.Session, error) { return recorder{told}, nil })
	return address, told
}

// startSMTP starts a mail server and returns its address. With a certificate, the server offers STARTTLS, or expects
// TLS from the first byte (atOnce).
func startSMTP(t *testing.T, certificate *tls.Config, atOnce bool, sessions smtp.BackendFunc) (address string) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(sessions)
	server.TLSConfig, server.AllowInsecureAuth, server.ErrorLog = certificate, true, log.New(io.Discard, "", 0)
	address = l.Addr().String()
	if atOnce {
		l = tls.NewListener(l, certificate)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return address
}

// A remote mail server without encryption, or with an untrusted certificate, receives neither the password nor a
// letter. The letters wait.
func TestMailServersMustBeTrusted(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil)
	web.Close()
	for name, c := range map[string]struct {
		url         string
		certificate *tls.Config
	}{
		// Dialing 0.0.0.0 reaches this machine, but the address does not count as loopback.
		"no STARTTLS":            {"smtp://0.0.0.0", nil},
		"no STARTTLS to sign in": {"smtp://ada:secret@0.0.0.0", nil},
		"STARTTLS, untrusted":    {"smtp://ada:secret@0.0.0.0", web.TLS},
		"TLS, untrusted":         {"smtps://ada:secret@127.0.0.1", web.TLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			address, told := startRecorder(t, c.certificate, strings.HasPrefix(c.url, "smtps"))
			_, port, _ := net.SplitHostPort(address)
			var err error
			if f.Server, err = mail.NewServer(c.url + ":" + port); err != nil {
				t.Fatal(err)
			}
			f.add("secret")
			f.send()
			f.want("after an attempt", "secret", models.LetterWaiting, 1, models.CauseMailAway)
			if err := f.Server.Check(t.Context()); err == nil || told.Load() != 0 {
				t.Errorf("check: error %v, and %d passwords and letters told; want an error and none", err, told.Load())
			}
		})
	}
	t.Run("on this machine", func(t *testing.T) { // where encryption is optional
		address, told := startRecorder(t, nil, false)
		server, err := mail.NewServer("smtp://ada:secret@" + address)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Check(t.Context()); err != nil || told.Load() == 0 {
			t.Errorf("check of a server on this machine: error %v, told %d; want none and the password", err, told.Load())
		}
	})
}
