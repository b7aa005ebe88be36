package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// edit replaces one place of a file; the place must be there exactly once.
type edit struct{ file, old, planted string }

// faults are mistakes that would make money wrong or shut people out, each with the tests that must not pass with it.
var faults = []struct {
	name  string
	edits []edit
	pkg   string
	tests string
}{
	{"nobody is locked", []edit{
		{"services/ledger/ledger.go", "WHERE id = $1::int FOR UPDATE\n), line AS (", "WHERE id = $1::int\n), line AS ("},
		{"services/ledger/ledger.go", "WHERE version = (SELECT xmin FROM users WHERE id = $1::int) AND (due", "WHERE (due"},
		{"models/migrations/00012_holds.sql", "SELECT credits_held INTO held FROM users WHERE id = NEW.user_id FOR UPDATE;", "SELECT credits_held INTO held FROM users WHERE id = NEW.user_id;"},
	}, "./services/ledger", "TestTwentySpendAtOnce"},
	{"a statement that waited books on what it saw before", []edit{
		{"services/ledger/ledger.go", "WHERE version = (SELECT xmin FROM users WHERE id = $1::int) AND (due", "WHERE (due"},
	}, "./services/ledger", "TestKeyUsedWhileWaiting"},
	{"no key is unique", []edit{
		{"services/ledger/ledger.go", "AND ($4 = '' OR NOT EXISTS (SELECT FROM credit_transactions", "AND (true OR NOT EXISTS (SELECT FROM credit_transactions"},
		{"models/migrations/00012_holds.sql", "CREATE UNIQUE INDEX credit_transactions_idempotency_key\n    ON credit_transactions (user_id, (meta ->> 'idempotency_key'), (coalesce", "CREATE INDEX credit_transactions_idempotency_key\n    ON credit_transactions (user_id, (meta ->> 'idempotency_key'), (coalesce"},
	}, "./services/ledger", "TestPostIdempotency"},
	{"a key stands for any request", []edit{
		{"services/ledger/ledger.go", "if row.Meta.RequestHash != e.Meta.RequestHash || row.Reason != e.Reason {", "if false {"},
	}, "./services/ledger", "TestPostIdempotency"},
	{"a spend need not be covered", []edit{
		{"services/ledger/ledger.go", "(due.delta > 0 OR $8::bool OR available + due.delta >= 0)", "true"},
	}, "./services/ledger", "TestPost|TestTwentySpendAtOnce"},
	{"a spend is answered before it is committed", []edit{
		{"services/spend/lane.go", "		err = together(ctx, db, batch)\n", "		for _, j := range batch {\n			j.err = nil\n		}\n		go func() { _ = together(context.WithoutCancel(ctx), db, batch) }()\n"},
	}, "./services/spend", "TestSpend|TestTwentyAtOnce"},
	{"spends that come together are covered one by one", []edit{
		{"services/ledger/together.go", "sum(price.credits) OVER (PARTITION BY ask.user_id ORDER BY ask.n) AS spent", "price.credits AS spent"},
	}, "./services/ledger", "TestTogetherIsOneByOne|TestTogetherLeavesNothingCertain"},
	{"holds that come together are covered one by one", []edit{
		{"services/ledger/together.go", "sum(price.credits) OVER (PARTITION BY ask.user_id ORDER BY ask.n) AS reserved", "price.credits AS reserved"},
	}, "./services/ledger", "TestTogetherIsOneByOne|TestTogetherLeavesNothingCertain"},
	{"holds are captured together after their time", []edit{
		{"services/ledger/together.go", "AND status = 'open' AND expires_at > moment.now", "AND status = 'open'"},
	}, "./services/ledger", "TestTogetherIsOneByOne|TestTogetherLeavesNothingCertain"},
	{"a key of a hold is free for a spend", []edit{
		{"services/ledger/together.go", "AND idempotency_key = key AND api_key_id IS NOT DISTINCT FROM nullif(caller, '')::uuid LIMIT 1) IS NULL", "AND false LIMIT 1) IS NULL"},
	}, "./services/ledger", "TestTogetherIsOneByOne|TestTogetherLeavesNothingCertain"},
	{"a capture of fewer frees only those", []edit{
		{"services/ledger/hold.go", "credits_held = credits_held - due.credits", "credits_held = credits_held - due.taken"},
	}, "./services/ledger", "TestCapture"},
	{"a hold is captured whatever has become of it", []edit{
		{"services/ledger/hold.go", "hold.status = 'open' AND hold.expires_at > moment.now", "hold.expires_at > moment.now"},
	}, "./services/ledger", "TestCapture|TestHoldEndsOnce"},
	{"a hold is captured after its time", []edit{
		{"services/ledger/hold.go", "hold.status = 'open' AND hold.expires_at > moment.now", "hold.status = 'open'"},
	}, "./services/ledger", "TestCapture"},
	{"an expired hold gives nothing back", []edit{
		{"services/ledger/hold.go", "AND freed.credits > 0", "AND freed.credits < 0"},
	}, "./services/ledger", "TestExpire"},
	{"a revoked key is good for two seconds", []edit{
		{"services/auth/verify.go", "knownFor      = time.Second ", "knownFor      = 2 * time.Second "},
	}, "./services/auth", "TestKeyRevokedElsewhere"},
	{"refund and dispute are rounded apart", []edit{
		{"services/purchase/settle.go", "share(min(m.refunded(), int64(paid))+min(m.Disputed, int64(paid))) - refunded", "share(m.Disputed)"},
	}, "./services/purchase", "TestTarget"},
	{"a purchase is granted by each event", []edit{
		{"services/purchase/settle.go", "{Delta: due.CreditsGranted - p.CreditsGranted,", "{Delta: due.CreditsGranted,"},
	}, "./services/webhook", "TestPaidCheckoutIsBookedOnce"},
	{"an event is answered before it is stored", []edit{
		{"services/webhook/webhook.go", "	return s.take(ctx, s.rowOf(event, payload))\n", "	go func() { _ = s.take(context.WithoutCancel(ctx), s.rowOf(event, payload)) }()\n	return nil\n"},
	}, "./services/webhook", "TestPaidCheckoutIsBookedOnce|TestDatabaseAwayIsNoSuccess"},
	{"an event that is left for later counts as done", []edit{
		{"services/webhook/together.go", "	return s.leave(tx, left)\n", "	return nil\n"},
	}, "./services/webhook", "TestEventsThatComeTogether"},
	{"events that come together wait for a lock", []edit{
		{"services/purchase/together.go", "FOR UPDATE OF p, u SKIP LOCKED", "FOR UPDATE OF p, u"},
	}, "./services/webhook", "TestThoseTogetherDoNotWait"},
	{"money that went back before is not looked for", []edit{
		{"services/purchase/together.go", "settlement(*p, facts[p.PaymentIntentID])", `settlement(*p, facts[""])`},
	}, "./services/webhook", "TestEventsThatComeTogether"},
	{"a text is missing in German", []edit{
		{"locales/de.yaml", "    covered: \"%{credits} für %{price} reichen dafür.\"\n", ""},
	}, "./locales", "TestLanguagesSayTheSame"},
	{"a drawing's title is not there", []edit{
		{"views/components/chart_templ.go", `templ.JoinStringErrs(d.Title)`, `templ.JoinStringErrs("")`},
	}, "./views/components", "TestChartForReaders"},
	{"text is too light", []edit{
		{"tailwind.config.js", `body: "oklch(38% .018 264)"`, `body: "oklch(62% .018 264)"`},
	}, "./static", "TestContrast"},
	{"what is wrong is not tied to its field", []edit{
		{"views/components/field_templ.go", `		attributes["aria-describedby"] = described`, `		attributes["data-described"] = described`},
	}, "./handlers/e2e", "TestOrdersThatCannotBe"},
	{"a page is wider than a narrow phone", []edit{
		{"static/css/app.css", ".sandbox-banner{", ".sandbox-banner{min-width:24rem;"},
	}, "./handlers/e2e", "TestBuyerInTheBrowser"},
	{"a text is cut off when it is enlarged", []edit{
		{"static/css/app.css", ".sandbox-banner{", ".sandbox-banner{overflow:hidden;height:40px;"},
	}, "./handlers/e2e", "TestZoom"},
	{"the focus is not seen on a button", []edit{
		{"static/css/app.css", ".sandbox-banner{", ".btn:focus-visible{outline-width:0!important}.sandbox-banner{"},
	}, "./handlers/e2e", "TestKeyboard"},
	{"forced colours take an edge", []edit{
		{"static/css/app.css", ".sandbox-banner{", ".card{border-width:0!important}.sandbox-banner{"},
	}, "./handlers/e2e", "TestZoom"},
	{"who wants no motion sees some", []edit{
		{"static/css/app.css", "transition-duration:0s!important", "transition-duration:.2s!important"},
	}, "./handlers/e2e", "TestZoom"},
	{"messages are not announced", []edit{
		{"views/layouts/base_templ.go", `<div id=\"flash\" role=\"status\" aria-label=`, `<div id=\"flash\" aria-label=`},
	}, "./views", "TestLayout"},
	{"a link leads nowhere", []edit{
		{"views/layouts/base_templ.go", `"/" + p.Locale + "/api/docs"`, `"/" + p.Locale + "/api/doc"`},
	}, "./handlers/e2e", "TestCrawl"},
	{"a script stands in the page", []edit{
		{"views/layouts/base_templ.go", `\" defer></script></head>`, `\" defer></script><script>window.x = 1</script></head>`},
	}, "./handlers/e2e", "TestBuyerInTheBrowser"},
	{"a form that is sent twice spends twice", []edit{
		{"handlers/billing.go", `key := formValue(c, "idempotency_key")`, `key := formValue(c, "idempotency_key") + c.GetRespHeader(fiber.HeaderXRequestID)`},
	}, "./handlers/e2e", "TestJourney"},
	{"an order that is pressed twice is sent twice", []edit{
		{"static/js/app.js", `if (event.target.ariaBusy === "true") return event.preventDefault();`, ``},
	}, "./handlers/e2e", "TestHTMX"},
}

// Every fault can still be planted where it is to be; else nobody would know whether the tests find it.
func TestFaultsCanBePlanted(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		for _, e := range f.edits {
			text, err := os.ReadFile(filepath.Join("../..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), e.old); n != 1 {
				t.Errorf("%s: %s has %q %d times, want once", f.name, e.file, e.old, n)
			}
		}
	}
}

// TestFaultsAreFound plants each fault into a copy of the sources and wants its tests to fail; without it they pass.
// It takes minutes, so it is run by `make bite`.
func TestFaultsAreFound(t *testing.T) {
	if os.Getenv("BITE") == "" {
		t.Skip("make bite runs it") // a build for each; TestFaultsCanBePlanted keeps it from rotting meanwhile
	}
	dir := t.TempDir()
	copyTree(t, dir)
	modules, err := filepath.Abs("../../node_modules") // axe is there
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if out, failed := runTests(t, dir, f.pkg, f.tests); failed {
				t.Fatalf("without the fault, %s of %s fail:\n%s", f.tests, f.pkg, out)
			}
			for _, e := range f.edits {
				t.Cleanup(plant(t, filepath.Join(dir, e.file), e)) // the last is undone first
			}
			out, failed := runTests(t, dir, f.pkg, f.tests)
			switch {
			case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
				t.Errorf("the fault does not compile:\n%s", out)
			case !failed:
				t.Errorf("%s of %s pass with it", f.tests, f.pkg)
			}
		})
	}
}

// plant makes an edit and returns what undoes it.
func plant(t *testing.T, file string, e edit) func() {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // G304: a path from the table above, in a directory of the test's own
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(string(text), e.old, e.planted, 1))
	return func() { write(string(text)) }
}

// copyTree copies what the repository holds and what is new in it.
func copyTree(t *testing.T, to string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("../..", name)) //nolint:gosec // G304: a path that git lists of this repository
		if err != nil {
			continue // a link, or deleted
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func runTests(t *testing.T, dir, pkg, tests string) (out string, failed bool) {
	t.Helper()
	run := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout", "3m", "-run", "^("+tests+")$", pkg)
	run.Dir = dir
	text, err := run.CombinedOutput()
	return string(text), err != nil
}
