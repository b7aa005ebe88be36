package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"
)

// mailServer receives letters. Until behave is called, it fails in every way that loses an answer: it closes the
// connection before or after it stores a letter, refuses a letter that it stores, answers 451, or drops all connections
// and restarts.
type mailServer struct {
	t       testing.TB
	address string

	mu       sync.Mutex
	dice     *rand.Rand
	behaves  bool
	smtp     *smtp.Server
	listener net.Listener
	texts    map[string]string    // of the letters, by Message-ID
	arrived  map[string]time.Time // when the first letter to an address did
	copies   int                  // all letters received, repeats too
	deaths   int
}

// mailFailure is what becomes of a letter.
type mailFailure int

const (
	cutBefore mailFailure = iota
	cutAfter
	refusesAfter
	busy
	dies
)

const mailFailures = 15 // of so many letters, one suffers each of the above

func newMailServer(t testing.TB, seed uint64) *mailServer {
	s := &mailServer{t: t, address: fmt.Sprintf("127.0.0.1:%d", freePort(t)), dice: rand.New(rand.NewPCG(seed, 99)),
		texts: map[string]string{}, arrived: map[string]time.Time{}}
	s.start()
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.smtp.Close() // it may have died
	})
	return s
}

// start begins to accept connections. The caller holds mu, or is the constructor.
func (s *mailServer) start() {
	var config net.ListenConfig
	l, err := config.Listen(s.t.Context(), "tcp", s.address)
	if err != nil {
		if s.t.Context().Err() == nil {
			s.t.Errorf("mail server: %v", err)
		}
		return
	}
	s.listener = l
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: s, conn: c}, nil
	}))
	s.smtp.Domain, s.smtp.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	go func(server *smtp.Server) { _ = server.Serve(l) }(s.smtp)
}

// behave ends the failures.
func (s *mailServer) behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaves = true
}

// mailSession is a connection.
type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	to     string
}

func (*mailSession) Reset()                               {}
func (*mailSession) Logout() error                        { return nil }
func (*mailSession) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt notes the recipient. Our letters have one.
func (c *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	return nil
}

// Data keeps a letter, or fails.
func (c *mailSession) Data(r io.Reader) error {
	message, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	failure := mailFailure(mailFailures)
	if !s.behaves {
		failure = mailFailure(s.dice.IntN(mailFailures))
	}
	switch failure {
	case cutBefore:
		return c.conn.Conn().Close()
	case busy:
		return &smtp.SMTPError{Code: 451, Message: "Later"}
	}
	if err := s.keep(message); err != nil {
		s.t.Errorf("a letter: %v\n%s", err, message)
	}
	if s.arrived[c.to].IsZero() {
		s.arrived[c.to] = time.Now()
	}
	switch failure {
	case cutAfter:
		return c.conn.Conn().Close()
	case refusesAfter:
		return &smtp.SMTPError{Code: 451, Message: "Something went wrong"}
	case dies:
		s.deaths++
		err := s.smtp.Close()
		_ = s.listener.Close() // the server does not know it yet if it has just started
		s.start()
		return err
	}
	return nil
}

// keep notes a letter. A repeat says the same.
func (s *mailServer) keep(message []byte) error {
	letter, err := mail.CreateReader(bytes.NewReader(message))
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	id, err := letter.Header.MessageID()
	if err != nil {
		return fmt.Errorf("message id: %w", err)
	}
	part, err := letter.NextPart()
	if err != nil {
		return fmt.Errorf("part: %w", err)
	}
	text, err := io.ReadAll(part.Body)
	if err != nil {
		return fmt.Errorf("text: %w", err)
	}
	if earlier, repeated := s.texts[id]; repeated && earlier != string(text) {
		return errors.New("differs from its first copy")
	}
	s.texts[id] = string(text)
	s.copies++
	return nil
}
