package handlers

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/handlers/transport"
)

// A stream may last longer than the write timeout, which each piece has for itself, and no piece waits for the next.
func TestStreamsOutliveTheWriteTimeout(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.app.Server().WriteTimeout = time.Nanosecond // over before the first piece
	next := make(chan struct{})
	f.behind("", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 0; ; n++ {
			select {
			case _, more := <-next:
				if !more {
					return
				}
			case <-r.Context().Done():
				return
			}
			_, _ = fmt.Fprintf(w, "data: %d\n", n) // a closed connection ends the context
			_ = http.NewResponseController(w).Flush()
		}
	})
	address, _ := f.serve(transport.Slots{})
	c := dial(t, address)
	if _, err := io.WriteString(c.conn, "GET /api/v1/resumes/list HTTP/1.1\r\nHost: localhost\r\n"+f.cookie+
		"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	next <- struct{}{}
	res, err := http.ReadResponse(c.reader, &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for n := range 20 {
		var got int
		if _, err := fmt.Fscanf(res.Body, "data: %d\n", &got); err != nil || got != n {
			t.Fatalf("piece %d is %d (%v)", n, got, err)
		}
		if n < 19 {
			next <- struct{}{}
		}
	}
	close(next)
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 {
		t.Errorf("after the last piece: %q (%v), want the end", rest, err)
	}
}

// An answer of any size arrives whole, whether Resume Matcher tells its length or not, and the connection stays usable.
func TestAnswersArriveWhole(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.behind("", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		if !r.URL.Query().Has("chunked") {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, numbered(size)) // a closed connection shows at the other end
	})
	address, _ := f.serve(transport.Slots{})
	c := dial(t, address)
	for _, query := range []string{"", "&chunked"} {
		for _, size := range []int{0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 5*pieceBytes + 7} {
			res, body := c.send(fmt.Sprintf("GET /api/v1/resumes/list?size=%d%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", size,
				query, f.cookie))
			if res.StatusCode != http.StatusOK || body != numbered(size) || (res.ContentLength >= 0) != (query == "") {
				t.Errorf("%d bytes%s: status %d, %d bytes, length %d; want 200 and all", size, query, res.StatusCode, len(body),
					res.ContentLength)
			}
		}
	}
}

// numbered returns a text whose parts all differ.
func numbered(size int) string {
	var text strings.Builder
	for n := 0; text.Len() < size; n++ {
		fmt.Fprintln(&text, n)
	}
	return text.String()[:size]
}
