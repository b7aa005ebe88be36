package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/resume-matcher/credits/models"
)

// delays are the delays before each retry of a delivery, as the specification suggests: the last of ten attempts comes
// after three days.
var delays = [...]time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// maxAttempts is how often a delivery is tried.
const maxAttempts = len(delays) + 1

// result is the outcome of an attempt, as recordSQL reads it.
type result struct {
	ID       int64                  `json:"id"`
	Attempts int                    `json:"attempts"` // of the claim: a later one is another's
	Status   models.DeliveryStatus  `json:"status"`
	Response int                    `json:"response"`
	Failure  models.DeliveryFailure `json:"failure"`
	Wait     float64                `json:"wait"` // seconds until the next attempt
}

// send makes one attempt.
func (s *Service) send(ctx context.Context, c claimed) result {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	r := result{ID: c.ID, Attempts: c.Attempts, Status: models.DeliveryPending}
	status, asked, err := s.post(ctx, c)
	r.Response = status
	switch {
	case err != nil:
		r.Failure = failureOf(err)
	case status/100 == 2:
		r.Status = models.DeliveryDelivered
		return r
	default:
		r.Failure = models.DeliveryStatusCode
	}
	if c.Attempts >= maxAttempts || r.Response == http.StatusGone {
		r.Status = models.DeliveryFailed
		return r
	}
	r.Wait = max(jitter(delays[c.Attempts-1]), asked).Seconds()
	return r
}

// post sends the request, and returns the status of the answer and how long it asks to wait. It reads a little of the
// body, so that the connection can serve the next request.
func (s *Service) post(ctx context.Context, c claimed) (status int, asked time.Duration, err error) {
	request, err := s.request(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	answer, err := s.client(request.URL).Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = answer.Body.Close() }()          // the status is the answer,
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // whatever follows it
	return answer.StatusCode, retryAfter(answer.Header.Get("Retry-After")), nil
}

// request returns the signed request.
func (s *Service) request(ctx context.Context, c claimed) (*http.Request, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	sent := time.Now()
	signature, err := s.sign(strings.Fields(c.Secrets), c.messageID(), sent, body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "resume-matcher-credits")
	request.Header.Set(standardwebhooks.HeaderWebhookID, c.messageID())
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(sent.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return request, nil
}

// failureOf returns the code of an attempt without an answer.
func failureOf(err error) models.DeliveryFailure {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var network net.Error
	switch {
	case errors.Is(err, errSecret):
		return models.DeliverySecret
	case errors.Is(err, errAddress):
		return models.DeliveryAddress
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return models.DeliveryTimeout
	case errors.As(err, &dns):
		return models.DeliveryDNS
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &certificate), errors.As(err, &record),
		errors.As(err, &alert), errors.As(err, &authority):
		return models.DeliveryTLS
	}
	return models.DeliveryConnection
}

// retryAfter returns the pause that a receiver asks for in seconds, a day at most; 0 if it asks for none.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, 24*time.Hour)
}

// jitter returns a random duration within a tenth of d, so that deliveries that failed together are spread.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // not a secret
}
