package handlers

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// Clients open connections in reserve. The server closes an unused one without a response, because the client would
// take it for the response to its next request; an incomplete request gets 408.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	server := &fasthttp.Server{
		ReadTimeout:  50 * time.Millisecond,
		Handler:      func(*fasthttp.RequestCtx) {},
		ErrorHandler: closeIdle(func(c *fasthttp.RequestCtx, _ error) { c.Error("too slow", fasthttp.StatusRequestTimeout) }),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Shutdown() })
	for sent, want := range map[string]string{"": "", "GET / HTTP/1.1\r\nHost: exam": "HTTP/1.1 408 "} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if got := string(answer); err != nil || (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("after %q: response %q (%v), want %q", sent, got, err, want)
		}
		conn.Close()
	}
}
