package handlers

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/handlers/transport"
)

// Of a request that can be read as two, Resume Matcher sees at most one, and never the one inside.
func TestAmbiguousRequestsThroughTheGate(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, _ := f.serve(transport.Slots{})
	const inside = "POST /api/v1/config/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
	for name, c := range map[string]struct{ header, body string }{
		"length and chunks":         {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + inside},
		"chunks and length":         {"Transfer-Encoding: chunked\r\nContent-Length: 999\r\n", "0\r\n\r\n" + inside},
		"two lengths":               {"Content-Length: 0\r\nContent-Length: 83\r\n", inside},
		"a list of lengths":         {"Content-Length: 0, 83\r\n", inside},
		"a signed length":           {"Content-Length: +0\r\n", inside},
		"a hexadecimal length":      {"Content-Length: 0x0\r\n", inside},
		"a length beyond 64 bits":   {"Content-Length: 18446744073709551616\r\n", inside},
		"an unknown coding":         {"Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + inside},
		"chunked, then identity":    {"Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + inside},
		"a space before the colon":  {"Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + inside},
		"a folded line":             {"Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n" + inside},
		"a bare CR":                 {"X: a\rContent-Length: 83\r\n", inside},
		"a chunk of negative size":  {"Transfer-Encoding: chunked\r\n", "-1\r\n\r\n" + inside},
		"a chunk beyond 64 bits":    {"Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\nx\r\n0\r\n\r\n" + inside},
		"a length among trailers":   {"Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 83\r\n\r\n" + inside},
		"a body that is a request":  {"Content-Length: 83\r\n", inside},
		"an expectation":            {"Expect: 200-maybe\r\nContent-Length: 83\r\n", inside},
		"a connection-named header": {"Connection: X-Credits-User\r\nContent-Length: 2\r\n", "{}"},
	} {
		before := f.seen()
		conn := dial(t, address)
		header := strings.ReplaceAll(c.header, "83", strconv.Itoa(len(inside)))
		_, err := io.WriteString(conn.conn, "POST /api/v1/jobs/upload HTTP/1.1\r\nHost: localhost\r\n"+f.cookie+"\r\n"+
			ownOrigin+"\r\nContent-Type: application/json\r\n"+header+"Connection: close\r\n\r\n"+c.body)
		if err == nil {
			var answer *http.Response
			if answer, err = http.ReadResponse(conn.reader, &http.Request{Method: http.MethodPost}); err == nil {
				_, err = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		}
		if err != nil {
			t.Errorf("%s: error %v, want an answer", name, err)
		}
		seen := f.matcher.Seen()[before:]
		if len(seen) > 1 || len(seen) == 1 && !strings.HasSuffix(seen[0].Target, "/jobs/upload") {
			t.Errorf("%s: Resume Matcher saw %d requests, the first to %s; want at most ours", name, len(seen), seen[0].Target)
		}
	}
}
