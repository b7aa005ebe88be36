package handlers

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/webhook"
)

// logBuffer collects log lines for a test to search.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// count returns how many lines contain every part.
func (b *logBuffer) count(parts ...string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
lines:
	for line := range strings.Lines(b.text.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		n++
	}
	return n
}

// serve starts the fixture's server on a port and returns its address and its log.
func (f *fixture) serve(slots transport.Slots) (string, *logBuffer) {
	f.t.Helper()
	log := &logBuffer{}
	f.handler.Site.Log = logging.NewLogger(log, slog.LevelDebug, "json")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.handler.Webhook = &webhook.Service{DB: f.db, Secrets: []string{"whsec_0123456789"}, Now: models.Now,
		Log: slog.New(slog.DiscardHandler)}
	if slots.Total == 0 {
		listener = f.handler.Listen(f.app, listener)
	} else {
		slots.Refuse = f.handler.refuseConnection(f.app)
		listener = slots.Listen(listener)
	}
	go func() { _ = f.app.Listener(listener) }()
	f.t.Cleanup(func() { _ = f.app.Shutdown() })
	return listener.Addr().String(), log
}

// rawClient is a connection on which a test sends arbitrary bytes.
type rawClient struct {
	t      testing.TB
	conn   net.Conn
	reader *bufio.Reader
}

func dial(t testing.TB, address string) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil { // reached only by a hang
		t.Fatal(err)
	}
	return &rawClient{t, conn, bufio.NewReader(conn)}
}

// send writes text and reads one response.
func (c *rawClient) send(text string) (*http.Response, string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
	return c.receive(http.MethodGet)
}

// receive reads the response to a request with method.
func (c *rawClient) receive(method string) (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(body)
}
