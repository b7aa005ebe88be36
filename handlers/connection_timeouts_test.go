package handlers

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// sendBeforeServing starts a server whose limits set has shortened. It sends text, which the sockets can hold, on a
// connection that the server has not accepted yet, so a slow test cannot miss a limit.
func sendBeforeServing(t *testing.T, set func(*fasthttp.Server), text string) (*fixture, net.Conn) {
	t.Helper()
	f := newFixture(t)
	set(f.app.Server())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, listener.Addr().String()).conn
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.app.Listener(f.handler.Listen(f.app, listener)) }()
	t.Cleanup(func() { _ = f.app.Shutdown() })
	return f, conn
}

// static/docs/operations.md states these limits; the tests below shorten them.
func TestConnectionsHaveTheStatedTimeouts(t *testing.T) {
	t.Parallel()
	s := newFixture(t).app.Server()
	got := [...]time.Duration{s.ReadTimeout, s.WriteTimeout, s.IdleTimeout}
	if want := [...]time.Duration{10 * time.Second, 30 * time.Second, time.Minute}; got != want {
		t.Errorf("time to send, read and be idle: got %v, want %v", got, want)
	}
}

// Clients open connections in reserve. The server closes an unused one without a response, because the client would
// take it for the response to its next request; half a header or half a long body gets 400. Half a body of at most
// firstBytes is closed without a response, because fasthttp reports it like an unused connection.
func TestSlowSendersAreCutOff(t *testing.T) {
	t.Parallel()
	for _, request := range []struct{ sent, want string }{
		{"", ""},
		{"GET / HTTP/1.1\r\nHost: exam", "HTTP/1.1 400 "},
		{"POST /en/withdrawal HTTP/1.1\r\nHost: example.com\r\nContent-Length: 9\r\n\r\nname", ""},
		{"POST /en/withdrawal HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("n", 1000), "HTTP/1.1 400 "},
	} {
		var got string
		for limit := 50 * time.Millisecond; limit < dbtest.HangTimeout; limit *= 4 {
			shorten := func(s *fasthttp.Server) { s.ReadTimeout = limit }
			_, conn := sendBeforeServing(t, shorten, request.sent)
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatalf("after %q: %v", request.sent, err)
			}
			got, _, _ = strings.Cut(string(answer), "\r\n")
			if strings.HasPrefix(got, request.want) { // else the server may have read nothing before its limit
				break
			}
		}
		if (request.want == "") != (got == "") || !strings.HasPrefix(got, request.want) {
			t.Errorf("after %q: response %q, want %q", request.sent, got, request.want)
		}
	}
}

// A client that requests more than its socket holds and reads nothing loses the connection.
func TestSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	const requests = 1000 // the style sheet 1,000 times is more than any socket buffers
	const request = "GET /static/css/app.css HTTP/1.1\r\nHost: example.com\r\n\r\n"
	var f *fixture
	var conn net.Conn
	first := make([]byte, 1)
	for limit := 50 * time.Millisecond; limit < dbtest.HangTimeout; limit *= 4 {
		f, conn = sendBeforeServing(t, func(s *fasthttp.Server) { s.WriteTimeout = limit }, strings.Repeat(request, requests))
		if _, err := io.ReadFull(conn, first); err == nil { // else the server wrote nothing before its limit
			break
		}
	}
	if first[0] != 'H' {
		t.Fatalf("got %q, want the first byte of a response", first)
	}
	dbtest.Eventually(t, "the connection is closed", func() bool { return f.app.Server().GetOpenConnectionsCount() == 0 })
	rest, _ := io.ReadAll(conn) // ends with a reset or an end
	if got := strings.Count(string(first)+string(rest), "HTTP/1.1 200"); got >= requests {
		t.Errorf("got all %d responses, want fewer: the client read none for longer than the limit", got)
	}
}

// A connection without a new request is closed, with nothing sent after the last response.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	shorten := func(s *fasthttp.Server) { s.IdleTimeout = 50 * time.Millisecond }
	_, conn := sendBeforeServing(t, shorten, "GET /healthz HTTP/1.1\r\nHost: example.com\r\n\r\n")
	answer, err := io.ReadAll(conn)
	got := string(answer)
	if err != nil || strings.Count(got, "HTTP/1.1") != 1 || !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("got %q (%v), want one response and then the end", got, err)
	}
}
