package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// What an error means decides whether a caller tries again, answers 503, or says that the work was refused.
func TestMeaningOfErrors(t *testing.T) {
	t.Parallel()
	state := func(code string) error { return &pgconn.PgError{Code: code, Severity: "ERROR"} }
	for _, c := range []struct {
		err  error
		want string // what it means, in the order below
	}{
		{state("55P03"), "away, timed out"},   // lock_not_available
		{state("57014"), "away, timed out"},   // query_canceled
		{state("25P03"), "away"},              // idle_in_transaction_session_timeout
		{state("40001"), "away"},              // serialization_failure
		{state("40P01"), "away"},              // deadlock_detected
		{state("25006"), "away"},              // read_only_sql_transaction
		{state("53300"), "away"},              // too_many_connections
		{state("53100"), "away, disk full"},   // disk_full
		{state("08006"), "away, unreachable"}, // connection_failure
		{state("57P01"), "away, unreachable"}, // admin_shutdown
		{state("23505"), "refused"},           // unique_violation
		{state("42P01"), "refused"},           // undefined_table
		{context.DeadlineExceeded, "away, timed out, unreachable"},
		{context.Canceled, ""},
		{net.ErrClosed, "away, unreachable"},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, "away, unreachable"},
		{sql.ErrConnDone, "away, unreachable"},
		{sql.ErrTxDone, "away, unreachable"},
		{errors.New("unexpected EOF"), "away, unreachable"},
		{errors.New("driver: bad connection"), "away, unreachable"},
		{errors.New("conn closed"), "away, unreachable"},
		{errors.New("of the program"), ""},
		{fault.Wrap(fault.Unavailable, net.ErrClosed), ""}, // another service's
		{nil, ""},
	} {
		for _, err := range []error{c.err, fmt.Errorf("read a user: %w", c.err)} {
			if c.err == nil {
				err = nil
			}
			var got []string
			for _, m := range []struct {
				name  string
				means func(error) bool
			}{
				{"away", postgres.Away}, {"timed out", postgres.TimedOut}, {"unreachable", postgres.Unreachable},
				{"refused", postgres.Refused}, {"disk full", postgres.DiskFull},
			} {
				if m.means(err) {
					got = append(got, m.name)
				}
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("%v means %q, want %q", err, got, c.want)
			}
		}
	}
}
