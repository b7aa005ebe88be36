package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"
)

// eventSender delivers events as Stripe does: it repeats each until it is accepted, with a new time and signature.
type eventSender struct {
	client      *http.Client
	to          func(attempt int) string // the server that the load balancer picks
	pause       time.Duration            // between attempts
	slots       chan struct{}            // concurrent attempts
	accepted    chan struct{}            // receives a value per accepted event, if read
	refused     atomic.Int64             // attempts answered with another status than 2xx
	aborted     atomic.Int64             // attempts without an answer
	unreachable atomic.Int64             // attempts whose connection was refused
}

func newEventSender(t testing.TB, to func(attempt int) string) *eventSender {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &eventSender{client: &http.Client{Transport: transport, Timeout: hangTimeout / 2}, to: to,
		pause: 20 * time.Millisecond, slots: make(chan struct{}, 10), accepted: make(chan struct{})}
}

// send repeats an event until it is accepted.
func (s *eventSender) send(t testing.TB, n stripeEvent) {
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		if s.try(ctx, s.to(attempt), n) {
			select {
			case s.accepted <- struct{}{}:
			default:
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("event %s: not accepted within %s", n.id, hangTimeout)
			return
		case <-time.After(s.pause):
		}
	}
}

// sendAll sends all events concurrently, each times times.
func (s *eventSender) sendAll(t testing.TB, times int, events ...stripeEvent) {
	var sending sync.WaitGroup
	for _, n := range events {
		for range times {
			sending.Go(func() { s.send(t, n) })
		}
	}
	sending.Wait()
}

// try makes one attempt and reports whether the event was accepted.
func (s *eventSender) try(ctx context.Context, to string, n stripeEvent) bool {
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	req, err := n.request(ctx, to)
	if err != nil {
		return false
	}
	res, err := s.client.Do(req)
	switch {
	case err != nil && strings.Contains(err.Error(), "connection refused"):
		s.unreachable.Add(1)
		return false
	case err != nil:
		s.aborted.Add(1)
		return false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		s.aborted.Add(1)
		return false
	}
	if res.StatusCode/100 != 2 {
		s.refused.Add(1)
		return false
	}
	return true
}

// request returns a delivery of the event, signed now.
func (n stripeEvent) request(ctx context.Context, to string) (*http.Request, error) {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(n.payload), Secret: webhookSecret,
		Timestamp: time.Now()})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to+"/api/stripe/webhook", strings.NewReader(n.payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Stripe-Signature", signed.Header)
	return req, nil
}
