package handlers

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func TestServiceKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada, bob := f.user("ada@example.com", 100), f.user("bob@example.com", 50)
	_, spends := f.serviceKey("spend")
	_, reads := f.serviceKey("read")
	balance := func(of models.User) string { return fmt.Sprintf("/api/credits/balance?userId=%d", of.ID) }

	t.Run("acts for the named user", func(t *testing.T) {
		for path, want := range map[string]string{
			balance(ada): "100", balance(bob): "50", "/api/credits/balance?email=BOB%40Example.com": "50",
		} {
			if r := f.call("GET", path, "", reads); r.status != 200 ||
				!strings.HasPrefix(r.body, `{"creditsBalance":`+want+`,`) {
				t.Errorf("%s: %d %s, want %s credits", path, r.status, r.body, want)
			}
		}
		for path, want := range map[string]int{
			"/api/credits/balance": 422, balance(ada) + "&email=ada@example.com": 422, "/api/credits/balance?userId=999": 404,
			"/api/credits/balance?userId=2147483648": 404, "/api/credits/balance?userId=9223372036854775807": 404,
			"/api/credits/balance?email=unknown@example.com": 404,
			"/api/credits/balance?email=x":                   422, "/api/credits/balance?userId=1&userId=2": 422,
			"/api/credits/transactions?userId=999": 404,
			"/api/credits/transactions":            422, "/api/credits/balance?createUser=true&email=eve@example.com": 422,
		} {
			if r := f.call("GET", path, "", reads); r.status != want {
				t.Errorf("%s: %d %s, want %d", path, r.status, r.body, want)
			}
		}
	})
	t.Run("ignores cookies", func(t *testing.T) {
		cookie := "Cookie: " + f.signIn(bob.ID)
		r := f.call("POST", "/api/credits/spend", fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, ada.ID), spends, cookie,
			"Idempotency-Key: cookies", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
		if r.status != 201 || r.body != `{"transactionId":3,"deltaCredits":-5,"creditsBalance":95}` {
			t.Errorf("status %d %s, want 201 for the named user", r.status, r.body)
		}
		if r := f.call("GET", balance(bob), "", cookie, "Authorization: Bearer rmc_nothing"); r.status != 401 {
			t.Errorf("an invalid key beside a valid session: status %d, want 401", r.status)
		}
	})
	t.Run("hides why a key is unknown", func(t *testing.T) {
		id, revoked := f.serviceKey("spend")
		if err := f.handler.Keys.Revoke(t.Context(), id, 0, ""); err != nil {
			t.Fatal(err)
		}
		answers := map[string]bool{}
		for name, header := range map[string][]string{
			"none": nil, "revoked": {revoked}, "unknown": {"Authorization: Bearer rmc_" + strings.Repeat("0", 38)},
			"malformed": {"Authorization: Bearer x"},
			"empty":     {"Authorization: Bearer "}, "basic": {"Authorization: Basic YTpi"}, "two": {spends, spends},
		} {
			r := f.call("GET", balance(ada), "", header...)
			e := r.refusal(t)
			if r.status != 401 || r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %d %s, want 401", name, r.status, r.body)
			}
			answers[strings.Replace(r.body, e.RequestID, "", 1)] = true
		}
		if len(answers) != 1 {
			t.Errorf("%d different responses, want 1 that hides the reason: %v", len(answers), answers)
		}
	})
	t.Run("answers that the key has expired", func(t *testing.T) {
		id, expired := f.serviceKey("spend")
		if err := f.db.Exec(`UPDATE api_keys SET created_at = now() - interval '31 days', expires_at = now() - interval '1 second'
			WHERE id = ?`, id).Error; err != nil {
			t.Fatal(err)
		}
		r := f.call("GET", balance(ada), "", expired)
		if e := r.refusal(t); r.status != 401 || e.Error.Code != "UNAUTHENTICATED" ||
			e.Error.Detail["problem"] != "key_expired" {
			t.Errorf("an expired key: status %d %s, want 401 with the problem key_expired", r.status, r.body)
		}
	})
	t.Run("is limited to its scope", func(t *testing.T) {
		hold := "/api/credits/holds/" + sampleNoHold
		for path, want := range map[string]int{"/api/credits/spend": 403, "/api/credits/holds": 403, hold + "/capture": 403,
			hold + "/release": 403, "/api/checkout": 403} {
			if r := f.call("POST", path, "{}", reads); r.status != want || r.refusal(t).Error.Code != "FORBIDDEN" {
				t.Errorf("read at %s: %d %s, want %d", path, r.status, r.body, want)
			}
		}
		if r := f.call("GET", hold, "", reads); r.status != 404 {
			t.Errorf("read at a hold: %d, want 404", r.status)
		}
		if r := f.call("POST", "/api/checkout", "{}", spends); r.status != 403 {
			t.Errorf("spend at checkout: %d, want 403", r.status)
		}
		if r := f.call("GET", balance(ada), "", spends); r.status != 200 {
			t.Errorf("spend at a balance: %d, want 200", r.status)
		}
	})
	t.Run("answers in the requested language", func(t *testing.T) {
		r := f.call("GET", "/api/credits/balance?userId=999", "", reads, "Accept-Language: de-CH,de;q=0.9",
			"Cookie: locale=en")
		if e := r.refusal(t); !strings.Contains(e.Error.Message, "kein Konto") {
			t.Errorf("message = %q, want German", e.Error.Message)
		}
		if e := f.call("GET", "/api/credits/balance?userId=999", "", reads, "Cookie: locale=de").
			refusal(t); !strings.Contains(e.Error.Message, "No account") {
			t.Errorf("message = %q, want the default despite the cookie", e.Error.Message)
		}
	})
	t.Run("loads no session", func(t *testing.T) {
		if err := f.db.Exec(`ALTER TABLE sessions RENAME TO gone`).Error; err != nil {
			t.Fatal(err)
		}
		defer f.db.Exec(`ALTER TABLE gone RENAME TO sessions`)
		if r := f.call("GET", balance(ada), "", reads, "Cookie: session="+strings.Repeat("A", 43)); r.status != 200 {
			t.Errorf("%d %s, want 200", r.status, r.body)
		}
	})
	dbtest.CheckLedger(t, f.db)
}

func TestRepeatsOverHTTP(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ada, bob := f.user("ada@example.com", 1000), f.user("bob@example.com", 1000)
	_, mine := f.serviceKey("spend")
	_, theirs := f.serviceKey("spend")
	body := func(of models.User, more string) string {
		return fmt.Sprintf(`{"userId":%d,"feature":"job_match"%s}`, of.ID, more)
	}

	for _, path := range []string{"/api/credits/spend", "/api/credits/holds"} {
		t.Run(path, func(t *testing.T) {
			key := "Idempotency-Key: " + path
			first := f.call("POST", path, body(ada, `,"metadata":{"b":[1.50,{"ü":"<&>"}],"a":null}`), mine, key)
			if first.status != 201 || first.header.Get("Idempotent-Replayed") != "" {
				t.Fatalf("the first request: status %d %s, Idempotent-Replayed %q, want 201 and none", first.status, first.body,
					first.header.Get("Idempotent-Replayed"))
			}
			for range 2 {
				again := f.call("POST", path, body(ada, `, "metadata" : {"a":null, "b":[1.50,{"\u00fc":"<&>"}]}`), mine, key)
				if again.status != 201 || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
					t.Errorf("the repeat: status %d %s, Idempotent-Replayed %q\nwant %s", again.status, again.body,
						again.header.Get("Idempotent-Replayed"),
						first.body)
				}
			}
			if other := f.call("POST", path, body(ada, `,"metadata":{"b":2}`), mine, key); other.status != 409 ||
				other.refusal(t).Error.Code != "IDEMPOTENCY_CONFLICT" {
				t.Errorf("with other metadata: status %d %s, want 409", other.status, other.body)
			}
			if other := f.call("POST", path, body(bob, `,"metadata":{"b":[1.50,{"ü":"<&>"}],"a":null}`), mine,
				key); other.status != 201 || other.header.Get("Idempotent-Replayed") != "" {
				t.Errorf("for another user: status %d %s, Idempotent-Replayed %q, want 201 and none", other.status, other.body,
					other.header.Get("Idempotent-Replayed"))
			}
			if other := f.call("POST", path, body(ada, ""), theirs, key); other.status != 201 ||
				other.header.Get("Idempotent-Replayed") != "" {
				t.Errorf("with another service key: status %d %s, want 201, not replayed", other.status, other.body)
			}
			for _, fits := range []string{strings.Repeat(path[len(path)-1:], 255), strings.Repeat("ü", 254) + path[len(path)-1:],
				"🔑" + path, "a b" + path} {
				if r := f.call("POST", path, body(ada, ""), mine, "Idempotency-Key: "+fits); r.status != 201 {
					t.Errorf("key of %d bytes: status %d %s, want 201", len(fits), r.status, r.body)
				}
			}
			before := f.entryCount()
			for _, invalid := range []string{"", strings.Repeat("k", 256), strings.Repeat("ü", 256), "\xff\xfe"} {
				if r := f.call("POST", path, body(ada, ""), mine, "Idempotency-Key: "+invalid); r.status != 400 {
					t.Errorf("key of %d bytes: status %d %s, want 400", len(invalid), r.status, r.body)
				}
			}
			if r := f.call("POST", path, body(ada, ""), mine); r.status != 400 ||
				r.refusal(t).Error.Detail["problem"] != "idempotency_key_required" {
				t.Errorf("no key: status %d %s, want 400", r.status, r.body)
			}
			if n := f.entryCount(); n != before {
				t.Errorf("refused requests posted %d entries, want 0", n-before)
			}
		})
	}
	t.Run("debits once for twenty concurrent requests", func(t *testing.T) {
		before := f.entryCount()
		var created, replayed atomic.Int64
		dbtest.Concurrently(20, func(int) {
			r := f.call("POST", "/api/credits/spend", body(ada, ""), mine, "Idempotency-Key: at once")
			switch {
			case r.status == 201 && r.header.Get("Idempotent-Replayed") == "true":
				replayed.Add(1)
			case r.status == 201:
				created.Add(1)
			case r.status != 409 || r.header.Get("Retry-After") == "" || r.refusal(t).Error.Code != "REQUEST_IN_PROGRESS":
				t.Errorf("%d %s", r.status, r.body)
			}
		})
		if created.Load() != 1 || f.entryCount() != before+1 {
			t.Errorf("%d new and %d replayed responses, %d entries; want 1 new with 1 entry", created.Load(), replayed.Load(),
				f.entryCount()-before)
		}
	})
	t.Run("stores nothing for a refusal", func(t *testing.T) {
		key := "Idempotency-Key: poor"
		poor := `{"email":"poor@example.com","createUser":true,"feature":"job_match"}`
		if r := f.call("POST", "/api/credits/spend", poor, mine, key); r.status != 402 {
			t.Fatalf("%d %s, want 402", r.status, r.body)
		}
		var id int64
		if err := f.db.Raw(`SELECT id FROM users WHERE email = 'poor@example.com'`).Scan(&id).Error; err != nil {
			t.Fatal(err)
		}
		f.credit(id, 100)
		if r := f.call("POST", "/api/credits/spend", poor, mine, key); r.status != 201 {
			t.Errorf("with credits: %d %s, want 201", r.status, r.body)
		}
	})
	dbtest.CheckLedger(t, f.db)
}
