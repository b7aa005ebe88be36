package e2e

import (
	"fmt"
	"path"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/localpg"
	"github.com/resume-matcher/credits/services/seal"
)

const (
	pagesEach   = 60                                 // requests per client, page and round
	pagesSecret = "0123456789abcdef0123456789abcdef" // of the server's sessions
	pagesIssuer = "https://github.com"
	spentDays   = 40 // before today, of a reader's history
	spentDaily  = 3  // entries
)

// BenchmarkPages lets 32 signed-in readers, each with a history of 40 days, request the pages that people open most;
// the landing page has no session. In each round pgbench spends in five round trips on the same durable database, as
// in BenchmarkSpend. Figures are medians over rounds, so run several (-benchtime 5x).
func BenchmarkPages(b *testing.B) {
	p := newPagesBench(b)
	for _, page := range p.pages {
		p.measure(b, page)
	}
	for _, page := range p.pages {
		page.rates, page.took = nil, nil // those warmed up
	}
	for b.Loop() {
		rate, took := p.pgbench.run(b, fiveTrips, benchConnections, pgbenchEach, fmt.Sprintf("first=%d", p.fx.users[0]),
			fmt.Sprintf("last=%d", p.fx.users[len(p.fx.users)-1]))
		p.yard.rates, p.yard.took = append(p.yard.rates, rate), append(p.yard.took, took...)
		for _, page := range p.pages {
			p.measure(b, page)
		}
	}
	p.report(b)
}

// pagesBench is the server, its readers and the measurements.
type pagesBench struct {
	fx      *fixture
	site    *site
	cookies []string // header lines of the readers
	pgbench *pgbench
	yard    figure
	pages   []*pageFigure
}

// pageFigure is the measurement of one page.
type pageFigure struct {
	figure
	path   string
	public bool // needs no session
}

func newPagesBench(b *testing.B) *pagesBench {
	b.Helper()
	fx, server := newDurableFixture(b)
	p := &pagesBench{fx: fx, pgbench: newPgbench(b, server), yard: figure{name: "pages, pgbench"}, pages: []*pageFigure{
		{path: "/en", public: true}, {path: "/en/purchase"}, {path: "/en/history"}, {path: "/en/billing"},
	}}
	if p.pgbench == nil {
		b.Skip("pgbench is not installed")
	}
	fx.exec(b, `INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_100', 100, 500),
		('price_500', 500, 2000)`)
	p.fillHistories(b, server)
	p.cookies = fx.openSessions(b, benchConnections)
	p.site = start(b, append(fx.env(), "SESSION_SECRET="+pagesSecret, "LOG_LEVEL=warn")...)
	return p
}

// fillHistories writes the entries of earlier days, all users' of a second together. It bypasses the triggers, which
// run per row.
func (p *pagesBench) fillHistories(b *testing.B, server *localpg.Server) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), server.AdminURL("app"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	for _, statement := range []string{
		`SET session_replication_role = replica`,
		fmt.Sprintf(`INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after, meta, created_at)
			SELECT u.id, CASE n WHEN 0 THEN 100000000 ELSE -5 END, CASE n WHEN 0 THEN 'manual' ELSE 'job_match' END,
				100000000 - 5 * n, jsonb_build_object('idempotency_key', 'past_' || n),
				now() - (%d - n) * interval '1 day' / %d
			FROM generate_series(0, %d - 1) n, users u WHERE n = 0 OR u.id < %d ORDER BY n, u.id`,
			spentDays*spentDaily, spentDaily, spentDays*spentDaily, p.fx.users[0]+benchConnections),
		`UPDATE users u SET credits_balance = l.balance_after FROM (SELECT DISTINCT ON (user_id) user_id, balance_after
			FROM credit_transactions ORDER BY user_id, id DESC) l WHERE l.user_id = u.id`,
		`VACUUM ANALYZE`,
	} {
		if _, err := conn.Exec(b.Context(), statement); err != nil {
			b.Fatalf("%.60s: %v", statement, err)
		}
	}
}

// openSessions signs in the first n users and returns the header line of each one's cookie.
func (fx *fixture) openSessions(b *testing.B, n int) (cookies []string) {
	b.Helper()
	service, err := auth.New(auth.Options{DB: fx.db, AppURL: "http://localhost",
		Secrets: seal.Secrets{[]byte(pagesSecret)}})
	if err != nil {
		b.Fatal(err)
	}
	for _, user := range fx.users[:n] {
		subject := strconv.FormatInt(user, 10)
		fx.exec(b, `INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified)
			SELECT ?, ?, id, 'github', email, true FROM users WHERE id = ?`, pagesIssuer, subject, user)
		in := auth.SignIn{Issuer: pagesIssuer, Subject: subject}
		in.ID = user
		key, err := service.Sessions().Open(b.Context(), in, "Firefox")
		if err != nil {
			b.Fatal(err)
		}
		cookies = append(cookies, "Cookie: session="+key+"\r\n")
	}
	fx.exec(b, `UPDATE sessions SET elsewhere_at = NULL, elsewhere_device = ''`)
	return cookies
}

// measure lets each reader request the page.
func (p *pagesBench) measure(b *testing.B, page *pageFigure) {
	b.Helper()
	headers := p.cookies
	if page.public {
		headers = []string{""}
	}
	send, end := gateTarget{p.site.url, "GET", page.path, headers}.connect(b, benchConnections)
	defer end() // the server's memory is that of the readers at work
	rate, took := runClients(b, benchConnections, pagesEach, send)
	page.rates, page.took = append(page.rates, rate), append(page.took, took...)
}

// report writes the rates, the memory of the server after them, and the ratios to pgbench.
func (p *pagesBench) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // drop the meaningless time per round
	b.ReportMetric(float64(p.site.memoryField("VmRSS")), "MiB")
	b.ReportMetric(float64(p.site.memoryField("RssAnon")), "heap_MiB")
	writeFigures(b, p.yard)
	for _, page := range p.pages {
		page.name, page.yard = "pages, "+page.path, p.yard.rates
		b.ReportMetric(median(page.rates)/median(p.yard.rates), path.Base(page.path)+"/pgbench")
		writeFigures(b, page.figure)
	}
	dbtest.CheckLedger(b, p.fx.db)
}
