// Package mailbox is the sandbox's mail server. It speaks SMTP, keeps what it accepts in memory, and has an inbox page
// instead of recipients. It listens on this machine only. A tester can make it fail in the ways mail servers fail.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/resume-matcher/credits/services/loopback"
	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

const (
	kept        = 500      // letters; the oldest is dropped first
	maxMessage  = 10 << 20 // bytes
	maxFormSize = 4 << 10
	readTimeout = 10 * time.Second
)

// Fault is how the server fails.
type Fault string

// The faults.
const (
	Good      Fault = "good"
	Busy      Fault = "busy"      // 451 to every recipient, as while greylisting
	Unknown   Fault = "unknown"   // 550 to every recipient
	Spam      Fault = "spam"      // 554 to every message
	Cut       Fault = "cut"       // keeps the message, and closes the connection instead of answering
	Hang      Fault = "hang"      // keeps the message, and does not answer until the fault ends
	Silent    Fault = "silent"    // accepts connections, and does not greet until the fault ends
	Closed    Fault = "closed"    // 421 to everybody
	Forgetful Fault = "forgetful" // keeps the message, and answers 451
)

// Faults lists all faults, in the order of the page.
var Faults = []Fault{Good, Busy, Unknown, Spam, Cut, Hang, Silent, Closed, Forgetful}

// Letter is one accepted message.
type Letter struct {
	ID         int // counted from 1
	From       string
	To         []string
	MessageID  string
	Subject    string
	ReceivedAt time.Time
	Text, HTML string
	Files      []File
	Source     []byte
	Copies     int // how often it was received under its Message-ID
}

// File is an attachment.
type File struct {
	Name, Type string
	Content    []byte
}

// Server is a running stand-in.
type Server struct {
	smtp        *smtp.Server
	post        net.Listener // of SMTP
	http        *http.Server
	smtpAddress string
	url         string
	page        *template.Template
	texts       appearance.Texts
	done        sync.WaitGroup

	mu      sync.Mutex
	product string   // address of the product; may be empty
	letters []Letter // oldest first
	count   int
	fault   Fault
	ended   chan struct{} // closed when the fault changes
}

// Start opens the stand-in: the inbox on listen, or on a free port if that is taken, and SMTP on a free port. ctx
// bounds only the start; Close ends it.
// Errors: an address that other machines could reach, no port.
func Start(ctx context.Context, listen string, log *slog.Logger) (*Server, error) {
	s := &Server{fault: Good, ended: make(chan struct{})}
	var err error
	if s.page, s.texts, err = appearance.Load(pageFiles, "page.html"); err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	inbox, err := loopback.ListenAny(ctx, listen)
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	if s.post, err = loopback.ListenAny(ctx, "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("mailbox: %w", err), inbox.Close())
	}
	s.url, s.smtpAddress = "http://localhost:"+portOf(inbox), "127.0.0.1:"+portOf(s.post)
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.newSession))
	s.smtp.Domain, s.smtp.MaxMessageBytes, s.smtp.EnableSMTPUTF8 = "localhost", maxMessage, true
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = time.Minute, readTimeout
	s.smtp.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: readTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	s.done.Go(func() {
		if err := s.smtp.Serve(listener{s.post, s}); err != nil { // nil after Close
			log.Error("mailbox stopped", "err", err)
		}
	})
	s.done.Go(func() {
		if err := s.http.Serve(inbox); !errors.Is(err, http.ErrServerClosed) {
			log.Error("mailbox's page stopped", "err", err)
		}
	})
	return s, nil
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// SMTPURL is the value of SMTP_URL that leads here.
func (s *Server) SMTPURL() string { return "smtp://" + s.smtpAddress }

// URL is the address of the inbox.
func (s *Server) URL() string { return s.url }

// Close stops the stand-in. What it received is gone.
func (s *Server) Close(ctx context.Context) error {
	s.SetFault(Good) // releases who hangs
	err := errors.Join(s.smtp.Close(), s.http.Shutdown(ctx))
	_ = s.post.Close() // the server closes only a listener that it serves already
	s.done.Wait()
	return err
}

// SetProduct gives the pages a link back to the product.
func (s *Server) SetProduct(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.product = url
}

func (s *Server) productURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.product
}

// SetFault makes the server fail from now on, or work again. It releases connections that hang.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ended)
	s.fault, s.ended = f, make(chan struct{})
}

func (s *Server) currentFault() (Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault, s.ended
}

// Letters returns what the server holds, the newest first. Copies of one Message-ID are one letter.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	letters := slices.Clone(s.letters)
	slices.Reverse(letters)
	return letters
}

func (s *Server) letter(id int) (Letter, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.letters, func(l Letter) bool { return l.ID == id })
	if i < 0 {
		return Letter{}, false
	}
	return s.letters[i], true
}

// Clear empties the mailbox.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = nil
}

// keep stores a letter. A repeat of a Message-ID counts as a copy, as in a mail program.
func (s *Server) keep(l Letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.letters {
		if l.MessageID != "" && s.letters[i].MessageID == l.MessageID {
			s.letters[i].Copies++
			return
		}
	}
	s.count++
	l.ID, l.Copies = s.count, 1
	s.letters = append(s.letters, l)
	if len(s.letters) > kept {
		s.letters = s.letters[1:]
	}
}
