package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// lookUpAlone names the figure of lookUp.
const lookUpAlone = "session, by pgx alone"

// connectAlone opens a connection to a database with nothing in between.
func connectAlone(b *testing.B, address string) *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// lookUp measures what a session costs at least: one statement that finds it with its user.
func (g *gateBench) lookUp(b *testing.B) {
	b.Helper()
	var hash string
	if err := g.conn.QueryRow(b.Context(), `SELECT min(key_hash) FROM sessions`).Scan(&hash); err != nil {
		b.Fatal(err)
	}
	rate, took := runClients(b, 1, gateAlone, func(_, _ int) error {
		var user int64
		return g.conn.QueryRow(b.Context(), `SELECT users.id FROM sessions JOIN users ON users.id = user_id
			WHERE key_hash = $1`, hash).Scan(&user)
	})
	g.add(lookUpAlone, rate, took)
}

// reportLookUp writes the figure of lookUp.
func (g *gateBench) reportLookUp(b *testing.B) {
	b.Helper()
	alone := g.figures[lookUpAlone]
	slices.Sort(alone.took)
	for _, percent := range []int{50, 99} {
		took := alone.took[len(alone.took)*percent/100]
		b.ReportMetric(float64(took.Microseconds())/1000, fmt.Sprintf("session_alone_p%d_ms", percent))
	}
	writeFigures(b, *alone)
}
