package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
)

// One admin form sent twenty times concurrently to two replicas grants once; twenty forms grant twenty times.
func TestGrantRaces(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, 2)
	env, dir := []string{"DATABASE_URL=" + fx.url, "LOG_LEVEL=warn"}, workDir(t) // both read the session secret from dir
	sites := [2]*site{startIn(t, dir, env...), startIn(t, dir, env...)}
	admin := newVisitor(sites[0], "en")
	admin.signIn("#demo-admin")
	for i, c := range []struct {
		name    string
		key     func(int) string
		entries int64
	}{
		{"one form", func(int) string { return "" }, 1},
		{"twenty forms", func(int) string { return uuid.NewString() }, 20},
	} {
		user := fx.users[i]
		admin.open(fmt.Sprintf("/en/admin/users/%d", user))
		form, err := io.ReadAll(admin.form("#grant-submit", "credits", "7", "note", "For the trouble").Body)
		if err != nil {
			t.Fatal(err)
		}
		values, err := url.ParseQuery(string(form))
		if err != nil || values.Get("idempotency_key") == "" {
			t.Fatalf("the form has no idempotency key (%v)", err)
		}
		var mu sync.Mutex
		answers := map[int]int{}
		dbtest.Concurrently(20, func(n int) {
			sent := url.Values{}
			for name := range values {
				sent.Set(name, values.Get(name))
			}
			if key := c.key(n); key != "" {
				sent.Set("idempotency_key", key)
			}
			// On a slow machine a request runs out of time: 503. Then the admin sends it again.
			status, deadline := http.StatusServiceUnavailable, time.Now().Add(hangTimeout)
			for status == http.StatusServiceUnavailable && time.Now().Before(deadline) {
				status = admin.sendTo(sites[n%2], fmt.Sprintf("/en/admin/users/%d/grant", user), sent)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
		if answers[http.StatusSeeOther] != 20 {
			t.Errorf("%s: answers by status = %v, want 20 of 303", c.name, answers)
		}
		if n := fx.count(t, `SELECT count(*) FROM credit_transactions WHERE user_id = ? AND reason = 'manual'`,
			user); n != c.entries {
			t.Errorf("%s: %d ledger entries, want %d", c.name, n, c.entries)
		}
		if n := fx.count(t, `SELECT credits_balance FROM users WHERE id = ?`, user); n != 7*c.entries {
			t.Errorf("%s: balance = %d credits, want %d", c.name, n, 7*c.entries)
		}
		if n := fx.count(t, `SELECT count(*) FROM audit_log WHERE user_id = ? AND actor = 'admin'`, user); n != c.entries {
			t.Errorf("%s: %d audit log rows, want %d", c.name, n, c.entries)
		}
	}
	dbtest.CheckLedger(t, fx.db)
}

// sendTo posts a form to a replica in the visitor's session and returns the status.
func (v *visitor) sendTo(s *site, path string, values url.Values) int {
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, s.url+path, strings.NewReader(values.Encode()))
	if err != nil {
		v.t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.url)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	client := http.Client{Jar: v.client.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		v.t.Error(err)
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}
