package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

const (
	inFlight  = 200
	matchCost = 5 // of job_match, in credits
)

// counter is two replicas on one database, and a service that spends at both with one key.
type counter struct {
	shop    *shop
	urls    [2]string
	clients [2]*http.Client
	key     string
	next    int // the next user whom no scenario has used
}

func newCounter(t *testing.T, users int) *counter {
	t.Helper()
	c := &counter{shop: newShop(t, users)}
	out, code := command(t, []string{"DATABASE_URL=" + c.shop.url, "LOG_LEVEL=error"}, "keys", "create", "--name", "Races", "--scope", "spend,read", "--per-minute", "0")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "rmc_") {
			c.key = strings.TrimSpace(line)
		}
	}
	if code != 0 || c.key == "" {
		t.Fatalf("keys create ends with %d and prints no key", code)
	}
	for i := range c.urls {
		c.urls[i] = start(t, append(c.shop.env(), "LOG_LEVEL=warn")...).url
		transport := &http.Transport{MaxIdleConns: inFlight, MaxIdleConnsPerHost: inFlight}
		t.Cleanup(transport.CloseIdleConnections)
		c.clients[i] = &http.Client{Transport: transport, Timeout: patience}
	}
	return c
}

// grant takes users whom no scenario has used and gives each of them credits.
func (c *counter) grant(t *testing.T, users, credits int) []int64 {
	t.Helper()
	ids := c.shop.users[c.next : c.next+users]
	c.next += users
	c.shop.exec(t, `WITH line AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) SELECT id, ?, 'manual' FROM users WHERE id IN ? RETURNING *)
		UPDATE users SET credits_balance = credits_balance + line.delta_credits FROM line WHERE users.id = line.user_id`, credits, ids)
	return ids
}

// reply is what a replica said; status 0 when it said nothing.
type reply struct {
	status   int
	body     string
	replayed bool
}

// call asks one replica. It may run in any goroutine.
func (c *counter) call(t *testing.T, replica int, method, path, key, body string) reply {
	req, err := http.NewRequestWithContext(t.Context(), method, c.urls[replica]+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return reply{}
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.clients[replica].Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return reply{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return reply{}
	}
	return reply{res.StatusCode, string(text), res.Header.Get("Idempotent-Replayed") == "true"}
}

func (c *counter) spend(t *testing.T, replica int, user int64, key string) reply {
	return c.call(t, replica, http.MethodPost, "/api/credits/spend", key, fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user))
}

// spendAll tries to spend so often, the users in turn and 200 at once, and counts the answers by status.
func (c *counter) spendAll(t *testing.T, users []int64, tries int) map[int]int {
	t.Helper()
	var next atomic.Int64
	var mu sync.Mutex
	answers := map[int]int{}
	begun := time.Now()
	dbtest.Together(inFlight, func(int) {
		for i := int(next.Add(1)) - 1; i < tries; i = int(next.Add(1)) - 1 {
			// The replica changes with the round: each user is spent for at both.
			r := c.spend(t, (i+i/len(users))%2, users[i%len(users)], fmt.Sprintf("%d of %d", i, tries))
			mu.Lock()
			answers[r.status]++
			if r.status != http.StatusCreated && r.status != http.StatusPaymentRequired && answers[r.status] == 1 {
				t.Errorf("the first answer %d: %s", r.status, r.body)
			}
			mu.Unlock()
		}
	})
	t.Logf("%.0f spends/s", float64(tries)/time.Since(begun).Seconds())
	return answers
}

// lines is how often a feature was booked for these users.
func (c *counter) lines(t *testing.T, users []int64) int64 {
	t.Helper()
	return c.shop.count(t, `SELECT count(*) FROM credit_transactions WHERE user_id IN ? AND reason = 'job_match'`, users)
}

// What a service spends for people at two replicas at once. None of it runs beside other tests: it takes the whole machine.
func TestSpendRaces(t *testing.T) {
	c := newCounter(t, 54)
	t.Run("two hundred requests with one key are one spend", c.oneKey)
	spends := dbtest.Depth(2_000, 10_000)
	t.Run("spends of fifty users with credits for half of them", func(t *testing.T) { c.spendOut(t, 50, spends*matchCost/100, spends) })
	t.Run("spends of one user with credits for half of them", func(t *testing.T) { c.spendOut(t, 1, spends/4*matchCost/2, spends/4) })
	t.Run("one hold is captured or released a hundred times each", c.endHold)
	t.Run("the other replica shows the new balance after the answer", c.readYourWrite)
}

func (c *counter) oneKey(t *testing.T) {
	users := c.grant(t, 1, 500)
	var replies [inFlight]reply
	dbtest.Together(inFlight, func(i int) { replies[i] = c.spend(t, i%2, users[0], "double click") })
	fresh := 0
	for _, r := range replies {
		if r.status != http.StatusCreated || r.body != replies[0].body {
			t.Fatalf("two answers to one request: %d %s, and %d %s", replies[0].status, replies[0].body, r.status, r.body)
		}
		if !r.replayed {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d answers are no repeat, want 1", fresh)
	}
	if n := c.lines(t, users); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	if n := c.shop.count(t, `SELECT credits_balance FROM users WHERE id = ?`, users[0]); n != 500-matchCost {
		t.Errorf("balance = %d credits, want %d", n, 500-matchCost)
	}
	dbtest.CheckLedger(t, c.shop.db)
}

// spendOut spends what users have, and as much again that they have not.
func (c *counter) spendOut(t *testing.T, people, credits, tries int) {
	users := c.grant(t, people, credits)
	covered := people * credits / matchCost
	want := map[int]int{http.StatusCreated: covered, http.StatusPaymentRequired: tries - covered}
	if got := c.spendAll(t, users, tries); !maps.Equal(got, want) {
		t.Errorf("answers by status %v, want %v", got, want)
	}
	if n := c.lines(t, users); n != int64(covered) {
		t.Errorf("%d lines, want %d", n, covered)
	}
	if n := c.shop.count(t, `SELECT count(*) FROM users WHERE id IN ? AND credits_balance <> 0`, users); n != 0 {
		t.Errorf("%d users have not 0 credits", n)
	}
	dbtest.CheckLedger(t, c.shop.db)
}

func (c *counter) endHold(t *testing.T) {
	user := c.grant(t, 1, 500)[0]
	made := c.call(t, 0, http.MethodPost, "/api/credits/holds", "hold", fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user))
	var hold struct{ HoldID, Status string }
	if err := json.Unmarshal([]byte(made.body), &hold); err != nil || made.status != http.StatusCreated {
		t.Fatalf("hold: %d %s", made.status, made.body)
	}
	path := "/api/credits/holds/" + hold.HoldID
	actions, states := [2]string{"/capture", "/release"}, [2]string{"captured", "released"}
	var replies [inFlight]reply
	dbtest.Together(inFlight, func(i int) { replies[i] = c.call(t, i/2%2, http.MethodPost, path+actions[i%2], "", "") })

	now := c.call(t, 1, http.MethodGet, path, "", "")
	if err := json.Unmarshal([]byte(now.body), &hold); err != nil || hold.Status != states[0] && hold.Status != states[1] {
		t.Fatalf("the hold in the end: %d %s", now.status, now.body)
	}
	for i, r := range replies {
		if won := hold.Status == states[i%2]; won && (r.status != http.StatusOK || r.body != now.body) ||
			!won && (r.status != http.StatusConflict || !strings.Contains(r.body, `"HOLD_NOT_OPEN"`)) {
			t.Fatalf("%s of a hold that ends %s: %d %s", actions[i%2], hold.Status, r.status, r.body)
		}
	}
	taken := int64(0)
	if hold.Status == states[0] {
		taken = 1
	}
	if n := c.lines(t, []int64{user}); n != taken {
		t.Errorf("%s: %d lines, want %d", hold.Status, n, taken)
	}
	if n := c.shop.count(t, `SELECT credits_balance - credits_held FROM users WHERE id = ?`, user); n != 500-taken*matchCost {
		t.Errorf("%s: %d credits are available, want %d", hold.Status, n, 500-taken*matchCost)
	}
	dbtest.CheckLedger(t, c.shop.db)
}

func (c *counter) readYourWrite(t *testing.T) {
	const times = 200
	user := c.grant(t, 1, times*matchCost)[0]
	for left := (times - 1) * matchCost; left >= 0; left -= matchCost {
		if r := c.spend(t, 0, user, fmt.Sprintf("down to %d", left)); r.status != http.StatusCreated {
			t.Fatalf("spend: %d %s", r.status, r.body)
		}
		r := c.call(t, 1, http.MethodGet, fmt.Sprintf("/api/credits/balance?userId=%d", user), "", "")
		var balance struct{ CreditsBalance *int }
		if err := json.Unmarshal([]byte(r.body), &balance); err != nil || balance.CreditsBalance == nil || *balance.CreditsBalance != left {
			t.Fatalf("the other replica shows %d %s, want %d credits", r.status, r.body, left)
		}
	}
	dbtest.CheckLedger(t, c.shop.db)
}
