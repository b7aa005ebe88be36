// Package credits calls the credits API. It is one file that imports only the standard library: copy it.
//
//	c := credits.New("https://credits.example.com", os.Getenv("CREDITS_KEY"))
//	err := c.Metered(ctx, credits.Request{User: credits.User{ID: 4711}, Feature: "job_match"}, func(h credits.Hold) error {
//		return match(ctx) // an error gives the credits back
//	})
//	if missing := new(credits.PaymentRequired); errors.As(err, &missing) {
//		fmt.Println("buy more at", missing.PurchaseURL)
//	}
package credits

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls the API with one service key. Any number of goroutines may share it, and should: it keeps connections.
type Client struct {
	BaseURL  string
	Key      string       // rmc_…
	Language string       // of the messages in errors: de or en; the server's choice when empty
	HTTP     *http.Client // its Timeout is that of one attempt
	Attempts int          // how often a call is sent at most
	MaxWait  time.Duration
}

// New makes a client: ten seconds for an attempt, five attempts, at most thirty seconds between two of them.
func New(baseURL, key string) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64 // two, the default, closes most connections of a busy program
	return &Client{
		BaseURL: strings.TrimRight(baseURL, "/"), Key: key,
		HTTP:     &http.Client{Transport: transport, Timeout: 10 * time.Second},
		Attempts: 5, MaxWait: 30 * time.Second,
	}
}

// User names the user of a call by ID or by Email. Create makes an account for an unknown address: set it only when you
// have verified the address.
type User struct {
	ID     int64  `json:"userId,omitempty"`
	Email  string `json:"email,omitempty"`
	Create bool   `json:"createUser,omitempty"`
}

// Request says what to spend or hold credits for. Its price is the server's.
type Request struct {
	User
	Feature    string         `json:"feature"`
	Metadata   map[string]any `json:"metadata,omitempty"`
	TTLSeconds int64          `json:"ttlSeconds,omitempty"` // of a hold; 15 minutes when 0
	// made when empty; give your own to survive a restart of yours
	IdempotencyKey string `json:"-"`
}

// Balance is what a user has.
type Balance struct {
	Balance   int64 `json:"creditsBalance"`
	Held      int64 `json:"heldCredits"`
	Available int64 `json:"availableCredits"`
}

// Spent is one debit.
type Spent struct {
	TransactionID int64 `json:"transactionId"`
	Delta         int64 `json:"deltaCredits"`
	Balance       int64 `json:"creditsBalance"`
	Replayed      bool  `json:"-"` // it was made by an earlier request with the same key
}

// Hold is credits that are reserved, taken or given back: open, captured, released or expired.
type Hold struct {
	ID            string    `json:"holdId"`
	UserID        int64     `json:"userId"`
	Feature       string    `json:"feature"`
	Credits       int64     `json:"credits"`
	Captured      int64     `json:"capturedCredits"`
	Status        string    `json:"status"`
	TransactionID *int64    `json:"transactionId"`
	ExpiresAt     time.Time `json:"expiresAt"`
	Replayed      bool      `json:"-"` // as in Spent: work done for a replayed hold is done twice for one price
}

// Error is a refusal of the API.
type Error struct {
	Status    int
	Code      string // for programs, such as NOT_FOUND
	Message   string // for people
	Detail    map[string]any
	RequestID string // finds the request in the server's log
}

func (e *Error) Error() string {
	return fmt.Sprintf("credits: %s (%d): %s [%s]", e.Code, e.Status, e.Message, e.RequestID)
}

// PaymentRequired is the refusal of a user who has too few credits.
type PaymentRequired struct {
	Refusal                      *Error
	Required, Available, Missing int64
	PurchaseURL                  string // where the user buys more
}

func (e *PaymentRequired) Error() string { return e.Refusal.Error() }

// Unwrap makes errors.As find the Error.
func (e *PaymentRequired) Unwrap() error { return e.Refusal }

// Balance reads what a user has.
func (c *Client) Balance(ctx context.Context, user User) (out Balance, err error) {
	query := url.Values{"email": {user.Email}}
	if user.ID != 0 {
		query = url.Values{"userId": {strconv.FormatInt(user.ID, 10)}}
	}
	_, err = c.call(ctx, http.MethodGet, "/api/credits/balance?"+query.Encode(), "", nil, &out)
	return out, err
}

// Spend takes what a feature costs.
// Errors: *PaymentRequired when the user has too little; *Error.
// Idempotent: by r.IdempotencyKey.
func (c *Client) Spend(ctx context.Context, r Request) (out Spent, err error) {
	r.TTLSeconds = 0
	out.Replayed, err = c.call(ctx, http.MethodPost, "/api/credits/spend", cmp.Or(r.IdempotencyKey, rand.Text()), r, &out)
	return out, err
}

// Hold reserves what a feature costs.
// Errors: *PaymentRequired when the user has too little; *Error.
// Idempotent: by r.IdempotencyKey.
func (c *Client) Hold(ctx context.Context, r Request) (out Hold, err error) {
	out.Replayed, err = c.call(ctx, http.MethodPost, "/api/credits/holds", cmp.Or(r.IdempotencyKey, rand.Text()), r, &out)
	return out, err
}

// Capture takes held credits; all of them when credits is 0.
// Errors: *Error with the code HOLD_NOT_OPEN when the hold was released or has expired.
// Idempotent.
func (c *Client) Capture(ctx context.Context, holdID string, credits int64) (out Hold, err error) {
	var body any
	if credits != 0 {
		body = map[string]int64{"credits": credits}
	}
	out.Replayed, err = c.call(ctx, http.MethodPost, "/api/credits/holds/"+url.PathEscape(holdID)+"/capture", "", body,
		&out)
	return out, err
}

// Release gives held credits back.
// Idempotent.
func (c *Client) Release(ctx context.Context, holdID string) (out Hold, err error) {
	out.Replayed, err = c.call(ctx, http.MethodPost, "/api/credits/holds/"+url.PathEscape(holdID)+"/release", "", nil,
		&out)
	return out, err
}

// Metered holds credits, does the work and captures them; work that fails or panics gets them released. What a release
// cannot reach, the end of the hold gives back. It ignores the end of ctx once the work is done.
// Errors: those of Hold, of the work, or of Capture.
func (c *Client) Metered(ctx context.Context, r Request, work func(Hold) error) error {
	held, err := c.Hold(ctx, r)
	if err != nil {
		return err
	}
	ctx, done := context.WithoutCancel(ctx), false
	defer func() {
		if !done {
			_, _ = c.Release(ctx, held.ID)
		}
	}()
	if err := work(held); err != nil {
		return err
	}
	done = true
	_, err = c.Capture(ctx, held.ID, 0)
	return err
}

// call sends a request until it is answered for good: again, with the same key, after a network error, 429, 503, and a
// 409 that says when to come back. It reports whether the answer is a repeat.
func (c *Client) call(ctx context.Context, method, path, key string, in, out any) (bool, error) {
	var body []byte
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return false, err
		}
		body = text
	}
	for attempt := 1; ; attempt++ {
		replayed, wait, err := c.send(ctx, method, path, key, body, out)
		if err == nil || wait < 0 || wait > c.MaxWait || attempt >= c.Attempts || ctx.Err() != nil {
			return replayed, err
		}
		timer := time.NewTimer(max(wait, backoff(attempt)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, err
		case <-timer.C:
		}
	}
}

// send is one attempt. With an error it says how long to wait before the next; negative when there is to be none.
func (c *Client) send(ctx context.Context, method, path, key string, body []byte, out any) (replayed bool,
	wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return false, -1, errors.New("credits: the base URL is not one")
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	for name, value := range map[string]string{"Idempotency-Key": key, "Accept-Language": c.Language} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err // without the address, which may name a user
		}
		return false, 0, fmt.Errorf("credits: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20)) // to its end, so that the connection is used again
	if err != nil {
		return false, 0, fmt.Errorf("credits: %w", err)
	}
	if res.StatusCode >= 300 {
		return false, waitOf(res), refusal(res, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return false, -1, fmt.Errorf("credits: the answer is not one of the API: %w", err)
	}
	return res.Header.Get("Idempotent-Replayed") == "true", 0, nil
}

// waitOf is how long a refusal asks us to wait; negative when it stands.
func waitOf(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	switch {
	case res.StatusCode != http.StatusConflict && res.StatusCode != http.StatusTooManyRequests &&
		res.StatusCode != http.StatusServiceUnavailable,
		res.StatusCode == http.StatusConflict && err != nil:
		return -1
	case err != nil || seconds < 0:
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// backoff grows from 0.1 s to 1.6 s and more, less up to half of it, so that many clients do not come back at once.
func backoff(attempt int) time.Duration {
	longest := 100 * time.Millisecond << (min(attempt, 7) - 1)
	var dice [1]byte
	_, _ = rand.Read(dice[:])
	return longest - longest*time.Duration(dice[0])/512
}

// refusal reads an error; a proxy's, which has another shape, keeps its status.
func refusal(res *http.Response, text []byte) error {
	var envelope struct {
		RequestID string `json:"request_id"`
		Error     struct {
			Code, Message string
			Detail        map[string]any
		}
	}
	_ = json.Unmarshal(text, &envelope)
	e := &Error{res.StatusCode, cmp.Or(envelope.Error.Code, "HTTP_"+strconv.Itoa(res.StatusCode)),
		cmp.Or(envelope.Error.Message, http.StatusText(res.StatusCode)), envelope.Error.Detail,
		cmp.Or(envelope.RequestID, res.Header.Get("X-Request-ID"))}
	if e.Status != http.StatusPaymentRequired {
		return e
	}
	number := func(name string) int64 { n, _ := e.Detail[name].(float64); return int64(n) }
	address, _ := e.Detail["purchaseUrl"].(string)
	return &PaymentRequired{e, number("required"), number("available"), number("missing"), address}
}
