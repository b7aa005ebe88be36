package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// answer is one answer; the status is 0 if there was none.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	failure string // of a request without an answer
	took    time.Duration
	began   time.Time // as in ack
}

// unchanged reports whether an answer says that nothing was booked. A proxy's own answers do not say it.
func (a answer) unchanged() bool {
	var said struct {
		Error struct {
			Code   string
			Detail struct{ Problem string }
		}
	}
	return a.status == http.StatusServiceUnavailable && json.Unmarshal(a.body, &said) == nil &&
		said.Error.Code == "UNAVAILABLE" && said.Error.Detail.Problem != "outcome_unknown"
}

// once sends a request once.
func (l *load) once(build requestTo, origin string) (a answer) {
	began := time.Now()
	defer func() { a.took = time.Since(began) }()
	req, err := build(context.Background(), origin)
	if err != nil {
		return answer{failure: err.Error()}
	}
	res, err := l.client.Do(req)
	if err != nil {
		return answer{failure: failure(err)}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{failure: failure(err)}
	}
	return answer{status: res.StatusCode, header: res.Header, body: body}
}

// failure names why there is no answer.
func failure(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "idle connection"):
		return "EOF"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}
