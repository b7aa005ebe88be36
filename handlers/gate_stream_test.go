package handlers

import (
	"fmt"
	"io"
	"net/http"
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
