package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/resume-matcher/credits/services/localpg"
)

// sameRows lets pgbench write the rows that booking a paid session writes, in one transaction with as few statements as
// possible: the yardstick for this database on this machine.
const sameRows = `\set i :i + 1
\set n :base + :client_id * :per + :i
BEGIN;
INSERT INTO stripe_events (event_id, type, api_version, livemode, object_id, payment_ref, payload, created_at_stripe)
	VALUES ('evt_' || (:n)::text, 'checkout.session.completed', '2024-06-20', false, 'cs_' || (:n)::text, 'pi_' || (:n)::text,
		convert_to(repeat('x', 600), 'UTF8'), 0) ON CONFLICT (event_id) DO NOTHING;
UPDATE purchases SET status = 'paid', payment_intent_id = 'pi_' || (:n)::text, paid_cents = amount_cents, paid_at = now(), credits_granted = credits,
	updated_at = now() WHERE checkout_session_id = 'cs_' || (:n)::text RETURNING id AS purchase, user_id AS owner, credits AS delta \gset
SELECT 1 FROM users WHERE id = :owner FOR UPDATE;
INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta)
	VALUES (:owner, :delta, 'purchase', 'evt_' || (:n)::text, jsonb_build_object('purchase_id', (:purchase)::text, 'session', 'cs_' || (:n)::text));
UPDATE users SET credits_balance = credits_balance + :delta, updated_at = now() WHERE id = :owner;
UPDATE stripe_events SET status = 'done', attempts = 1, processed_at = now() WHERE event_id = 'evt_' || (:n)::text;
END;
`

// pgbench is PostgreSQL's own load generator.
type pgbench struct{ program, url string }

// newPgbench finds pgbench beside the database's own programs. It returns nil if it is not installed.
func newPgbench(b *testing.B, server *localpg.Server) *pgbench {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), server.AdminURL("app"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(b.Context()))
	var dir string
	if err := conn.QueryRow(b.Context(), `SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&dir); err != nil {
		b.Fatalf("read PostgreSQL's BINDIR: %v", err)
	}
	p := &pgbench{program: filepath.Join(dir, "pgbench"), url: server.URL()}
	if _, err := os.Stat(p.program); err != nil {
		b.Logf("no yardstick: pgbench is not installed (%v)", err)
		return nil
	}
	return p
}

// run executes a script with prepared statements, each times per client. It returns the transactions per second after
// all clients have warmed up, since pgbench's connections are new and a server's are not, and each transaction's
// duration.
func (p *pgbench) run(b *testing.B, script string, clients, each int, variables ...string) (float64, []time.Duration) {
	b.Helper()
	dir := workDir(b)
	file, prefix := filepath.Join(dir, "script.sql"), filepath.Join(dir, "log")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		b.Fatal(err)
	}
	args := []string{"-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "1", "-t", strconv.Itoa(each), "-f", file,
		"--log", "--log-prefix", prefix}
	for _, v := range variables {
		args = append(args, "-D", v)
	}
	out, err := exec.CommandContext(b.Context(), p.program, append(args, p.url)...).CombinedOutput()
	if err != nil {
		b.Fatalf("pgbench: %v\n%s", err, out)
	}
	logs, err := filepath.Glob(prefix + "*")
	if err != nil || len(logs) != 1 {
		b.Fatalf("pgbench wrote %d log files, want 1 (%v)", len(logs), err)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		b.Fatal(err)
	}
	return steadyRate(b, string(text), each)
}

// steadyRate returns the rate between the moment when the last client has done a third of its share and the moment when
// the first client has done all of it.
// Source: https://www.postgresql.org/docs/current/pgbench.html (per-transaction logging)
func steadyRate(b *testing.B, log string, each int) (float64, []time.Duration) {
	b.Helper()
	var ends []float64
	var times []time.Duration
	var from, until float64
	for line := range strings.Lines(log) {
		var client, number, took, script, seconds, micros int
		if _, err := fmt.Sscan(line, &client, &number, &took, &script, &seconds, &micros); err != nil {
			b.Fatalf("parse pgbench's log line %q: %v", line, err)
		}
		end := float64(seconds) + float64(micros)/1e6
		ends = append(ends, end)
		if number > each/3 {
			times = append(times, time.Duration(took)*time.Microsecond)
		}
		if number == each/3 {
			from = max(from, end)
		}
		if number == each-1 && (until == 0 || end < until) {
			until = end
		}
	}
	slices.Sort(ends)
	if until <= from { // clients of one row take unfair turns, and each keeps it as busy as all
		from, until = ends[len(ends)/3], ends[len(ends)-1]
	}
	done := 0.0
	for _, end := range ends {
		if end > from && end <= until {
			done++
		}
	}
	return done / (until - from), times
}
