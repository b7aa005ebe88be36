package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models/dbtest"
	credits "github.com/resume-matcher/credits/static/examples/go"
)

// Every example client makes the same calls through a network that fails, and leaves the same ledger.
func TestClients(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	s := start(t, database)
	printed, code := command(t, []string{database}, "keys", "create", "--name", "Resume Matcher", "--scope", "spend")
	key := regexp.MustCompile(`rmc_[0-9A-Za-z]{38}`).FindString(printed)
	if code != 0 || key == "" {
		t.Fatalf("keys create: exit status %d, want 0 and a key", code)
	}
	for name, use := range map[string]func(t *testing.T, address, key, email string){"go": runGoClient,
		"python": runPythonClient, "typescript": runTypeScriptClient} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			email := name + "@example.com"
			newVisitor(s, "en").signInAs(email)
			if out, code := command(t, []string{database}, "grant", "--email", email, "--credits", "60", "--note",
				"to begin with"); code != 0 {
				t.Fatalf("grant: exit status %d, want 0: %s", code, out)
			}
			p := newFaultyProxy(t, s.url)
			use(t, p.URL, key, email)
			p.checkAttempts("faulty-" + name)
			if got := p.connections(); got > 4 {
				t.Errorf("client opened %d connections, want at most 4: one, and one per broken connection", got)
			}
			checkLedger(t, s.url, key, email)
		})
	}
}

// The quick starts of the API page lead from a key to captured credits.
func TestQuickStarts(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	s := start(t, database)
	printed, _ := command(t, []string{database}, "keys", "create", "--name", "quick", "--scope", "spend")
	newVisitor(s, "en").signInAs("ada@example.com")
	command(t, []string{database}, "grant", "--email", "ada@example.com", "--credits", "45", "--note", "to begin with")
	env := append(os.Environ(), "CREDITS_URL="+s.url, "CREDITS_KEY="+regexp.MustCompile(`rmc_\w{38}`).FindString(printed),
		"PYTHONDONTWRITEBYTECODE=1")
	jiti := absolute(t, "../../node_modules/jiti/lib/jiti-cli.mjs")
	for _, line := range []string{"sh examples/curl/quickstart.sh", "python3 examples/python/quickstart.py",
		"node " + jiti + " examples/typescript/quickstart.ts"} {
		words := append(strings.Fields(line), "ada@example.com")
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir, cmd.Env = absolute(t, "../../static"), env
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "captured") {
			t.Errorf("%s: %v, want a captured hold:\n%s", line, err, out)
		}
	}
	for user, want := range map[string]string{"ada@example.com": "purchase?package=100", // her credits are used up
		"eve@example.com": "USER_NOT_FOUND"} {
		cmd := exec.CommandContext(t.Context(), "sh", absolute(t, "../../static/examples/curl/quickstart.sh"), user)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err == nil || strings.Count(string(out), want) != 1 {
			t.Errorf("%s: %v, want %q once:\n%s", user, err, want, out)
		}
	}
}

// checkLedger reads the balance and history that the client's calls must have left.
func checkLedger(t *testing.T, address, key, email string) {
	t.Helper()
	read := func(path string, into any) {
		t.Helper()
		res, text := request(t, http.DefaultClient, http.MethodGet, address+path+"?email="+url.QueryEscape(email), "",
			map[string]string{"Authorization": "Bearer " + key})
		if err := json.Unmarshal([]byte(text), into); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: status %d, %v", path, res.StatusCode, err)
		}
	}
	var balance credits.Balance
	read("/api/credits/balance", &balance)
	if diff := cmp.Diff(credits.Balance{Balance: 10, Available: 10}, balance); diff != "" {
		t.Error(diff)
	}
	type entry struct {
		Reason string `json:"reason"`
		Delta  int64  `json:"deltaCredits"`
	}
	var history struct {
		Transactions []entry `json:"transactions"`
	}
	read("/api/credits/transactions", &history)
	want := []entry{{"resume_improvement", -15}, {"job_match", -5}, {"resume_improvement", -15}, {"job_match", -5},
		{"resume_analysis", -10}, {"manual", 60}}
	if diff := cmp.Diff(want, history.Transactions); diff != "" {
		t.Errorf("entries, newest first (-want +got): %s", diff)
	}
}

func runPythonClient(t *testing.T, address, key, email string) {
	script(t, "python3", "clients.py", "CLIENT_DIR="+absolute(t, "../../static/examples/python"),
		"PYTHONDONTWRITEBYTECODE=1",
		"CREDITS_URL="+address, "CREDITS_KEY="+key, "CREDITS_USER="+email)
}

func runTypeScriptClient(t *testing.T, address, key, email string) {
	jiti := absolute(t, "../../node_modules/jiti/lib/jiti.mjs")
	if found, err := filepath.Glob(jiti); err != nil || len(found) == 0 {
		t.Fatal("node_modules lacks jiti, which Tailwind installs: run make generate")
	}
	script(t, "node", "clients.mjs", "CLIENT="+absolute(t, "../../static/examples/typescript/credits.ts"), "JITI="+jiti,
		"CREDITS_URL="+address, "CREDITS_KEY="+key, "CREDITS_USER="+email)
}

// script runs a file of testdata, which exits with 0 if all its checks pass.
func script(t *testing.T, program, file string, env ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not in PATH: install it to run this client", program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hangTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, absolute(t, filepath.Join("testdata", file)))
	cmd.Dir, cmd.Env = workDir(t), env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, file, err, out)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func runGoClient(t *testing.T, address, key, email string) {
	c, user, ctx := credits.New(address+"/", key), credits.User{Email: email}, t.Context()
	wantBalance := func(balance, held int64) {
		t.Helper()
		got, err := c.Balance(ctx, user)
		if diff := cmp.Diff(credits.Balance{Balance: balance, Held: held, Available: balance - held}, got); err != nil ||
			diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
	}
	wantBalance(60, 0)
	once := credits.Request{User: user, Feature: "resume_analysis", IdempotencyKey: "go-1",
		Metadata: map[string]any{"resume": 4711}}
	first, err := c.Spend(ctx, once)
	if err != nil || first.Delta != -10 || first.Balance != 50 || first.Replayed {
		t.Fatalf("spend: %+v, %v", first, err)
	}
	again, err := c.Spend(ctx, once)
	first.Replayed = true
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Fatalf("repeated spend: %v %s", err, diff)
	}
	if spent, err := c.Spend(ctx, credits.Request{User: user, Feature: "job_match",
		IdempotencyKey: "faulty-go"}); err != nil || spent.Balance != 45 || !spent.Replayed {
		t.Fatalf("spend through the faulty proxy: %+v, %v, want a replayed answer", spent, err)
	}
	held, err := c.Hold(ctx, credits.Request{User: user, Feature: "resume_improvement", TTLSeconds: 60})
	if err != nil || held.Status != "open" {
		t.Fatalf("hold: %+v, %v", held, err)
	}
	wantBalance(45, 15)
	if held, err = c.Capture(ctx, held.ID, 0); err != nil || held.Status != "captured" || held.Captured != 15 {
		t.Fatalf("capture: %+v, %v", held, err)
	}
	refused := new(credits.Error)
	if _, err := c.Release(ctx, held.ID); !errors.As(err, &refused) || refused.Status != 409 ||
		refused.Code != "HOLD_NOT_OPEN" || refused.Detail["status"] != "captured" {
		t.Fatalf("release of a captured hold: %v, want 409 HOLD_NOT_OPEN", err)
	}
	runGoMetered(t, c, user, wantBalance)
}

// runGoMetered is the second half of runGoClient: metered work, from 30 credits on.
func runGoMetered(t *testing.T, c *credits.Client, user credits.User, wantBalance func(balance, held int64)) {
	t.Helper()
	match := credits.Request{User: user, Feature: "job_match"}
	if err := c.Metered(t.Context(), match, func(credits.Hold) error { wantBalance(30, 5); return nil }); err != nil {
		t.Fatal(err)
	}
	wantBalance(25, 0)
	workErr := errors.New("the work failed")
	if err := c.Metered(t.Context(), match, func(credits.Hold) error { return workErr }); !errors.Is(err, workErr) {
		t.Fatalf("metered work that fails: %v, want %v", err, workErr)
	}
	wantBalance(25, 0)
	func() {
		defer func() { _ = recover() }()
		_ = c.Metered(t.Context(), match, func(credits.Hold) error { panic("the work panicked") })
	}()
	wantBalance(25, 0)
	improve := credits.Request{User: user, Feature: "resume_improvement"}
	if _, err := c.Spend(t.Context(), improve); err != nil {
		t.Fatal(err)
	}
	_, err := c.Hold(t.Context(), improve)
	poor, refused := new(credits.PaymentRequired), new(credits.Error)
	if !errors.As(err, &poor) || poor.Required != 15 || poor.Available != 10 || poor.Missing != 5 ||
		!strings.HasSuffix(poor.PurchaseURL, "/purchase?package=100") {
		t.Fatalf("hold with too few credits: %v, want 402 with required 15, available 10, missing 5", err)
	}
	if !errors.As(err, &refused) || refused.Status != 402 || refused.Code != "INSUFFICIENT_CREDITS" ||
		refused.Message == "" || !strings.HasPrefix(refused.RequestID, "req_") {
		t.Fatalf("hold with too few credits: %v, want 402 with required 15, available 10, missing 5", err)
	}
	if _, err := c.Spend(t.Context(), credits.Request{User: user, Feature: "none"}); !errors.As(err, &refused) ||
		refused.Code != "FEATURE_UNKNOWN" {
		t.Fatalf("spend on an unknown feature: %v, want FEATURE_UNKNOWN", err)
	}
	unreachable := credits.New("http://127.0.0.1:9", "rmc_")
	unreachable.Attempts = 2
	if _, err := unreachable.Balance(t.Context(), user); err == nil || errors.As(err, &poor) ||
		strings.Contains(err.Error(), user.Email) {
		t.Fatalf("balance without a server: %v, want another error, without the address", err)
	}
}
