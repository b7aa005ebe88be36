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

// greedy is a session of a mail server that takes whatever it is told.
type greedy struct{ told *atomic.Int64 }

func (greedy) Reset()                   {}
func (greedy) Logout() error            { return nil }
func (greedy) AuthMechanisms() []string { return []string{sasl.Plain} }

func (g greedy) Auth(string) (sasl.Server, error) {
	g.told.Add(1)
	return sasl.NewPlainServer(func(string, string, string) error { return nil }), nil
}

func (g greedy) Mail(string, *smtp.MailOptions) error {
	g.told.Add(1)
	return nil
}

func (greedy) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (greedy) Data(io.Reader) error                 { return nil }

// startGreedy starts a mail server that offers STARTTLS if it has a certificate, or TLS at once, and returns its
// address. told counts the passwords and letters that it was told of.
func startGreedy(t *testing.T, certificate *tls.Config, atOnce bool) (address string, told *atomic.Int64) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	told = &atomic.Int64{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return greedy{told}, nil }))
	server.TLSConfig, server.AllowInsecureAuth, server.ErrorLog = certificate, true, log.New(io.Discard, "", 0)
	address = l.Addr().String()
	if atOnce {
		l = tls.NewListener(l, certificate)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return address, told
}

// A mail server elsewhere that offers no encryption, or whose certificate nobody vouches for, is told neither the
// password nor a letter. The letters wait.
func TestMailServersProveThemselves(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil)
	web.Close()
	for name, c := range map[string]struct {
		url         string
		certificate *tls.Config
	}{
		// To dial 0.0.0.0 means this machine, and its name does not say so.
		"no STARTTLS":            {"smtp://0.0.0.0", nil},
		"no STARTTLS to sign in": {"smtp://ada:secret@0.0.0.0", nil},
		"STARTTLS without proof": {"smtp://ada:secret@0.0.0.0", web.TLS},
		"TLS without proof":      {"smtps://ada:secret@127.0.0.1", web.TLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			address, told := startGreedy(t, c.certificate, strings.HasPrefix(c.url, "smtps"))
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
	t.Run("on this machine", func(t *testing.T) { // the same server would take them
		address, told := startGreedy(t, nil, false)
		server, err := mail.NewServer("smtp://ada:secret@" + address)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Check(t.Context()); err != nil || told.Load() == 0 {
			t.Errorf("check of a server on this machine: error %v, told %d; want none and the password", err, told.Load())
		}
	})
}
