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
	inFlight        = 200
	jobMatchCredits = 5 // credits that job_match costs
)

// replicas is two servers on one database and a service key that spends at both.
type replicas struct {
	fx      *fixture
	urls    [2]string
	clients [2]*http.Client
	key     string
	next    int // index of the first unused user
}

func newReplicas(t *testing.T, users int) *replicas {
	t.Helper()
	rs := &replicas{fx: newFixture(t, users)}
	rs.key = rs.fx.serviceKey(t)
	for i := range rs.urls {
		rs.urls[i] = start(t, append(rs.fx.env(), "LOG_LEVEL=warn")...).url
		transport := &http.Transport{MaxIdleConns: inFlight, MaxIdleConnsPerHost: inFlight}
		t.Cleanup(transport.CloseIdleConnections)
		rs.clients[i] = &http.Client{Transport: transport, Timeout: hangTimeout}
	}
	return rs
}

// grantCredits grants credits to each of the next unused users.
func (rs *replicas) grantCredits(t *testing.T, users, credits int) []int64 {
	t.Helper()
	ids := rs.fx.users[rs.next : rs.next+users]
	rs.next += users
	rs.fx.grantCredits(t, credits, ids...)
	return ids
}

// response is a replica's answer; the status is 0 if there was none.
type response struct {
	status   int
	body     string
	replayed bool
	repeated bool // an earlier answer asked the client to repeat the request
}

// call sends one request to a replica, and repeats it as clients should: on a slow machine, a user's requests may wait
// for longer than the server lets them. It is safe for concurrent use.
func (rs *replicas) call(t *testing.T, replica int, method, path, key, body string) response {
	r := rs.callOnce(t, replica, method, path, key, body)
	for begun := time.Now(); time.Since(begun) < hangTimeout && (r.status == http.StatusServiceUnavailable ||
		strings.Contains(r.body, `"REQUEST_IN_PROGRESS"`)); {
		r = rs.callOnce(t, replica, method, path, key, body)
		r.repeated = true
	}
	return r
}

func (rs *replicas) callOnce(t *testing.T, replica int, method, path, key, body string) response {
	req, err := http.NewRequestWithContext(t.Context(), method, rs.urls[replica]+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return response{}
	}
	req.Header.Set("Authorization", "Bearer "+rs.key)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := rs.clients[replica].Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return response{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return response{}
	}
	return response{status: res.StatusCode, body: string(text), replayed: res.Header.Get("Idempotent-Replayed") == "true"}
}

func (rs *replicas) spend(t *testing.T, replica int, user int64, key string) response {
	return rs.call(t, replica, http.MethodPost, "/api/credits/spend", key,
		fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user))
}

// spendAll sends tries spends, 200 at a time and for each user in turn, and counts the answers by status.
func (rs *replicas) spendAll(t *testing.T, users []int64, tries int) map[int]int {
	t.Helper()
	var next atomic.Int64
	var mu sync.Mutex
	answers := map[int]int{}
	begun := time.Now()
	dbtest.Concurrently(inFlight, func(int) {
		for i := int(next.Add(1)) - 1; i < tries; i = int(next.Add(1)) - 1 {
			// The replica alternates by round, so that each user spends at both.
			r := rs.spend(t, (i+i/len(users))%2, users[i%len(users)], fmt.Sprintf("%d of %d", i, tries))
			mu.Lock()
			answers[r.status]++
			if r.status != http.StatusCreated && r.status != http.StatusPaymentRequired && answers[r.status] == 1 {
				t.Errorf("spend: status %d, want 201 or 402: %s", r.status, r.body)
			}
			mu.Unlock()
		}
	})
	t.Logf("%.0f spends/s", float64(tries)/time.Since(begun).Seconds())
	return answers
}

// countEntries counts these users' entries for job_match.
func (rs *replicas) countEntries(t *testing.T, users []int64) int64 {
	t.Helper()
	return rs.fx.count(t, `SELECT count(*) FROM credit_transactions WHERE user_id IN ? AND reason = 'job_match'`, users)
}

// A service spends for users at two replicas at once. The test uses the whole machine, so it is not parallel.
func TestSpendRaces(t *testing.T) {
	rs := newReplicas(t, 54)
	t.Run("two hundred requests with one key are one spend", rs.spendWithOneKey)
	spends := dbtest.Depth(2_000, 10_000)
	t.Run("spends of fifty users with credits for half of them",
		func(t *testing.T) { rs.spendOut(t, 50, spends*jobMatchCredits/100, spends) })
	t.Run("spends of one user with credits for half of them",
		func(t *testing.T) { rs.spendOut(t, 1, spends/4*jobMatchCredits/2, spends/4) })
	t.Run("one hold is captured or released a hundred times each", rs.captureAndRelease)
	t.Run("the other replica shows the new balance after the answer", rs.readAfterWrite)
}

func (rs *replicas) spendWithOneKey(t *testing.T) {
	users := rs.grantCredits(t, 1, 500)
	var responses [inFlight]response
	dbtest.Concurrently(inFlight, func(i int) { responses[i] = rs.spend(t, i%2, users[0], "double click") })
	fresh, repeated := 0, false
	for _, r := range responses {
		if r.status != http.StatusCreated || r.body != responses[0].body {
			t.Fatalf("one request has two answers: %d %s and %d %s", responses[0].status, responses[0].body, r.status, r.body)
		}
		if !r.replayed {
			fresh++
		}
		repeated = repeated || r.repeated
	}
	if fresh != 1 && (fresh != 0 || !repeated) { // the fresh answer may be the one that asked for another request
		t.Errorf("%d answers without Idempotent-Replayed, want 1", fresh)
	}
	if n := rs.countEntries(t, users); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
	if n := rs.fx.count(t, `SELECT credits_balance FROM users WHERE id = ?`, users[0]); n != 500-jobMatchCredits {
		t.Errorf("balance = %d credits, want %d", n, 500-jobMatchCredits)
	}
	dbtest.CheckLedger(t, rs.fx.db)
}

// spendOut sends tries spends for users whose credits cover only some of them.
func (rs *replicas) spendOut(t *testing.T, users, credits, tries int) {
	ids := rs.grantCredits(t, users, credits)
	covered := users * credits / jobMatchCredits
	want := map[int]int{http.StatusCreated: covered, http.StatusPaymentRequired: tries - covered}
	if got := rs.spendAll(t, ids, tries); !maps.Equal(got, want) {
		t.Errorf("answers by status = %v, want %v", got, want)
	}
	if n := rs.countEntries(t, ids); n != int64(covered) {
		t.Errorf("%d entries, want %d", n, covered)
	}
	if n := rs.fx.count(t, `SELECT count(*) FROM users WHERE id IN ? AND credits_balance <> 0`, ids); n != 0 {
		t.Errorf("%d users with a balance other than 0 credits, want 0", n)
	}
	dbtest.CheckLedger(t, rs.fx.db)
}

func (rs *replicas) captureAndRelease(t *testing.T) {
	user := rs.grantCredits(t, 1, 500)[0]
	made := rs.call(t, 0, http.MethodPost, "/api/credits/holds", "hold",
		fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user))
	var hold struct{ HoldID, Status string }
	if err := json.Unmarshal([]byte(made.body), &hold); err != nil || made.status != http.StatusCreated {
		t.Fatalf("hold: status %d, want 201: %s", made.status, made.body)
	}
	path := "/api/credits/holds/" + hold.HoldID
	actions, states := [2]string{"/capture", "/release"}, [2]string{"captured", "released"}
	var responses [inFlight]response
	dbtest.Concurrently(inFlight, func(i int) {
		responses[i] = rs.call(t, i/2%2, http.MethodPost, path+actions[i%2], "",
			"")
	})

	now := rs.call(t, 1, http.MethodGet, path, "", "")
	if err := json.Unmarshal([]byte(now.body), &hold); err != nil || hold.Status != states[0] && hold.Status != states[1] {
		t.Fatalf("final hold: status %d, want captured or released: %s", now.status, now.body)
	}
	for i, r := range responses {
		if won := hold.Status == states[i%2]; won && (r.status != http.StatusOK || r.body != now.body) ||
			!won && (r.status != http.StatusConflict || !strings.Contains(r.body, `"HOLD_NOT_OPEN"`)) {
			t.Fatalf("%s of a hold that ended %s: status %d: %s", actions[i%2], hold.Status, r.status, r.body)
		}
	}
	captured := int64(0)
	if hold.Status == states[0] {
		captured = 1
	}
	if n := rs.countEntries(t, []int64{user}); n != captured {
		t.Errorf("%s: %d entries, want %d", hold.Status, n, captured)
	}
	if n := rs.fx.count(t, `SELECT credits_balance - credits_held FROM users WHERE id = ?`,
		user); n != 500-captured*jobMatchCredits {
		t.Errorf("%s: %d credits available, want %d", hold.Status, n, 500-captured*jobMatchCredits)
	}
	dbtest.CheckLedger(t, rs.fx.db)
}

func (rs *replicas) readAfterWrite(t *testing.T) {
	const times = 200
	user := rs.grantCredits(t, 1, times*jobMatchCredits)[0]
	for left := (times - 1) * jobMatchCredits; left >= 0; left -= jobMatchCredits {
		if r := rs.spend(t, 0, user, fmt.Sprintf("down to %d", left)); r.status != http.StatusCreated {
			t.Fatalf("spend: status %d, want 201: %s", r.status, r.body)
		}
		r := rs.call(t, 1, http.MethodGet, fmt.Sprintf("/api/credits/balance?userId=%d", user), "", "")
		var balance struct{ CreditsBalance *int }
		if err := json.Unmarshal([]byte(r.body), &balance); err != nil || balance.CreditsBalance == nil ||
			*balance.CreditsBalance != left {
			t.Fatalf("balance at the other replica: status %d, %s, want %d credits", r.status, r.body, left)
		}
	}
	dbtest.CheckLedger(t, rs.fx.db)
}
