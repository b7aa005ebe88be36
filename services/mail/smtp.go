package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/wneessen/go-mail"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/loopback"
)

const (
	answerTimeout = 45 * time.Second // of the greeting, of signing in, and of each message
	roundTimeout  = 60 * time.Second // after which a round begins no further message
	settleTimeout = 5 * time.Second  // of storing an outcome
)

// Server is the operator's mail server.
type Server struct {
	// Timeout bounds how long the server may take to greet, to sign us in, and to take each message; 45 s by default. A
	// round and one message must take less than firstPause.
	Timeout time.Duration

	host    string
	options []mail.Option
}

// NewServer returns the server of an SMTP_URL: smtp://user:password@host:587, which must offer STARTTLS unless it is on
// this machine, or smtps://user:password@host:465.
//
// Errors: an address that is neither.
func NewServer(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("the mail server's address must begin with smtp:// or smtps://")
	}
	port := map[string]int{"smtp": 587, "smtps": 465}[u.Scheme]
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, fmt.Errorf("port of the mail server: %w", err)
		}
	}
	s := &Server{Timeout: answerTimeout, host: u.Hostname(), options: []mail.Option{
		mail.WithPort(port), mail.WithoutNoop(), // a message fails as fast as its NOOP would, and within the same limit
		mail.WithTLSConfig(&tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}),
	}}
	switch {
	case u.Scheme == "smtps":
		s.options = append(s.options, mail.WithSSL())
	case loopback.Is(u.Hostname()):
		s.options = append(s.options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		s.options = append(s.options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if password, given := u.User.Password(); given {
		auth := mail.SMTPAuthAutoDiscover
		if loopback.Is(u.Hostname()) {
			auth = mail.SMTPAuthPlainNoEnc
		}
		s.options = append(s.options, mail.WithUsername(u.User.Username()), mail.WithPassword(password),
			mail.WithSMTPAuth(auth))
	}
	return s, nil
}

// Check connects to the server and signs in.
func (s *Server) Check(ctx context.Context) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	c.close()
	return nil
}

// SendTest sends a letter outside the outbox and returns the server's answer, which contains no address.
//
// Errors: a connection that fails; the cause of a refusal.
func (s *Server) SendTest(ctx context.Context, from, to string, content Content) (answer string, err error) {
	c, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	defer c.close()
	_, domain, _ := strings.Cut(from, "@")
	m := message{id: uuid.NewString() + "@" + domain, from: from, to: []Recipient{{Address: to}}, date: models.Now(),
		content: content}
	built, failed := c.send(m)
	if failed != nil {
		return "", failed.cause
	}
	return strings.ReplaceAll(oneLine(built.ServerResponse()), to, "…"), nil
}

// connection is a signed-in connection to the mail server.
type connection struct{ client *mail.Client }

// connect connects to the server and signs in before ctx ends.
func (s *Server) connect(ctx context.Context) (*connection, error) {
	client, err := mail.NewClient(s.host, append(slices.Clip(s.options), mail.WithTimeout(s.Timeout))...)
	if err != nil {
		return nil, fmt.Errorf("mail client: %w", err)
	}
	err = client.DialWithContext(ctx)
	if err == nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), client.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the mail server: %w", err)
	}
	return &connection{client}, nil
}

func (c *connection) close() { _ = c.client.Close() } // the server may have gone first

// message is a letter on its way.
type message struct {
	id      string
	from    string
	to      []Recipient
	date    time.Time
	content Content
}

// failure says why the server did not take a message.
type failure struct {
	cause     models.Cause
	permanent bool // no later attempt can succeed
	usable    bool // the connection can send the next message
}

func (f *failure) Error() string { return "mail: " + f.cause.Error() }

// send hands a message over, and returns it as built; a nil failure means that the server has accepted it.
func (c *connection) send(m message) (*mail.Msg, *failure) {
	built, err := m.build()
	if err != nil { // an address that no server takes
		return nil, &failure{cause: models.CauseMailAddress, permanent: true, usable: true}
	}
	err = c.client.Send(built)
	var refused *mail.SendError
	switch {
	case err == nil || built.IsDelivered(): // accepted, even if the connection failed right after
		return built, nil
	case !errors.As(err, &refused) || refused.ErrorCode() == 0:
		return built, &failure{cause: models.CauseMailAway}
	}
	code := refused.ErrorCode()
	f := &failure{cause: models.CauseMailRefused.Of(strconv.Itoa(code)), usable: code != 421}
	switch refused.Reason {
	case mail.ErrSMTPRcptTo:
		f.permanent = code >= 500
		if f.permanent {
			f.cause = models.CauseMailAddress.Of(strconv.Itoa(code))
		}
	case mail.ErrSMTPData, mail.ErrSMTPDataClose:
		f.permanent = code >= 500
	}
	return built, f
}

// build makes the message. No text that a person has typed can add a header.
func (m message) build() (*mail.Msg, error) {
	built := mail.NewMsg(mail.WithEncoding(mail.EncodingQP), mail.WithNoDefaultUserAgent())
	if err := built.From(m.from); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	for _, to := range m.to {
		// go-mail's functions that take the name as text do not escape quotes in it.
		address, err := netmail.ParseAddress("<" + to.Address + ">")
		if err != nil {
			return nil, fmt.Errorf("recipient: %w", err)
		}
		address.Name = oneLine(to.Name)
		built.AddToMailAddress(address)
	}
	built.SetMessageIDWithValue(m.id)
	built.SetDateWithValue(m.date)
	built.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no automatic reply is wanted
	if m.content.Unsubscribe != "" {                       // RFC 8058
		built.SetGenHeader("List-Unsubscribe", "<"+m.content.Unsubscribe+">")
		built.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	built.Subject(oneLine(m.content.Subject))
	built.SetBodyString(mail.TypeTextPlain, m.content.Text)
	if m.content.HTML != "" {
		built.AddAlternativeString(mail.TypeTextHTML, m.content.HTML)
	}
	for _, a := range m.content.Attachments {
		kind := mail.WithFileContentType(mail.ContentType(a.ContentType))
		err := built.AttachReader(a.Name, bytes.NewReader(a.Content), kind)
		if err != nil {
			return nil, fmt.Errorf("attachment %s: %w", a.Name, err)
		}
	}
	return built, nil
}

// oneLine replaces line breaks and other control characters by spaces.
func oneLine(text string) string {
	breaks := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
	return strings.Join(strings.FieldsFunc(text, breaks), " ")
}
