package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"
)

// session is one connection of a sender.
type session struct {
	server *Server
	conn   *smtp.Conn
	from   string
	to     []string
}

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	if fault, _ := s.currentFault(); fault == Closed {
		return nil, &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Closed for now"}
	}
	return &session{server: s, conn: c}, nil
}

func (c *session) Reset() { c.from, c.to = "", nil }

func (c *session) Logout() error { return nil }

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch fault, _ := c.server.currentFault(); fault {
	case Busy:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Try again later"}
	case Unknown:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox"}
	}
	c.to = append(c.to, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	source, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	fault, ended := c.server.currentFault()
	if fault == Spam {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Looks like spam"}
	}
	letter, err := parse(source)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Not a message"}
	}
	letter.From, letter.To = c.from, c.to
	c.server.keep(letter)
	switch fault {
	case Cut:
		return c.conn.Conn().Close()
	case Hang:
		<-ended
	case Forgetful:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Something went wrong"}
	}
	return nil
}

// parse takes a message apart.
func parse(source []byte) (Letter, error) {
	l := Letter{ReceivedAt: time.Now(), Source: source}
	message, err := mail.CreateReader(bytes.NewReader(source))
	if err != nil {
		return l, fmt.Errorf("parse message: %w", err)
	}
	if l.Subject, err = message.Header.Subject(); err != nil {
		return l, fmt.Errorf("parse subject: %w", err)
	}
	if l.MessageID, err = message.Header.MessageID(); err != nil {
		return l, fmt.Errorf("parse Message-ID: %w", err)
	}
	for {
		part, err := message.NextPart()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, fmt.Errorf("parse part: %w", err)
		}
		content, err := io.ReadAll(part.Body)
		if err != nil {
			return l, fmt.Errorf("read part: %w", err)
		}
		switch header := part.Header.(type) {
		case *mail.AttachmentHeader:
			name, _ := header.Filename()
			kind, _, _ := header.ContentType()
			l.Files = append(l.Files, File{name, kind, content})
		case *mail.InlineHeader:
			if kind, _, _ := header.ContentType(); strings.EqualFold(kind, "text/html") {
				l.HTML = string(content)
			} else {
				l.Text = string(content)
			}
		}
	}
}

// inline reports whether a browser may show a file instead of storing it.
func (f File) inline() bool {
	return strings.HasPrefix(f.Type, "text/plain") && http.DetectContentType(f.Content) != ""
}

// listener delays the greeting of connections while the server is Silent.
type listener struct {
	net.Listener
	server *Server
}

// Accept returns the next connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err // unwrapped: the server compares it
	}
	return silentConn{c, l.server}, nil
}

// silentConn is a connection that sends nothing while the server is Silent.
type silentConn struct {
	net.Conn
	server *Server
}

// Write sends once the server is not Silent any more.
func (c silentConn) Write(p []byte) (int, error) {
	for {
		fault, ended := c.server.currentFault()
		if fault != Silent {
			return c.Conn.Write(p) // unwrapped: the server compares it
		}
		<-ended
	}
}
