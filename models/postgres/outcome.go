package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// UnknownError is the error of a transaction whose COMMIT was sent and not answered, so that it may have taken effect.
// Every other error of a transaction means that it wrote nothing.
type UnknownError struct{ cause error }

// Error describes the error for logs.
func (e *UnknownError) Error() string { return fmt.Sprintf("COMMIT was not answered: %v", e.cause) }

// Unwrap returns the error of the connection.
func (e *UnknownError) Unwrap() error { return e.cause }

// OutcomeUnknown reports whether err means that a transaction may have taken effect.
func OutcomeUnknown(err error) bool { return errors.As(err, new(*UnknownError)) }

// unanswered reports whether the error of a COMMIT leaves open whether the transaction took effect. It does not when
// the server refused it, or when it was never sent. A server that ends the connection may have committed before.
func unanswered(err error) bool {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return false
	case errors.Is(err, pgconn.ErrConnClosed): // pgx says so, too, when it loses the connection while it waits
		return true
	case pgconn.SafeToRetry(err):
		return false
	case errors.As(err, &pg):
		return pg.SeverityUnlocalized != "ERROR"
	case err == context.DeadlineExceeded, err == context.Canceled: //nolint:errorlint // pgx wraps those that it returns
		return false // database/sql rolled back instead
	}
	for _, refused := range []error{sql.ErrTxDone, pgx.ErrTxClosed, pgx.ErrTxCommitRollback, gorm.ErrDuplicatedKey,
		gorm.ErrForeignKeyViolated, gorm.ErrCheckConstraintViolated, gorm.ErrInvalidField} {
		if errors.Is(err, refused) {
			return false
		}
	}
	return true
}

// Evidence reports, in a later transaction, whether an earlier one took effect. It must wait for a lock that the
// earlier transaction held: until that has ended, its rows are invisible even if it commits.
//
// Ids from a sequence prove nothing by themselves: after a crash of the server, another transaction may get them again.
//
// Errors: any error means that the evidence is not to be had.
type Evidence func(tx models.Tx) (tookEffect bool, err error)

const (
	confirmTimeout = time.Second // how long a caller waits for evidence; see ConfirmWithin
	confirmPause   = 20 * time.Millisecond
	confirmKey     = "credits:confirm"
)

// ConfirmWithin returns db with another time that Confirmed may take.
func ConfirmWithin(db *gorm.DB, limit time.Duration) *gorm.DB {
	return db.Set(confirmKey, limit).Session(&gorm.Session{})
}

// Confirmed is Transaction, and looks for evidence on another connection when COMMIT was not answered.
//
// Errors: UnknownError when there is none within a second, or the time of ConfirmWithin.
func Confirmed(ctx context.Context, db *gorm.DB, fn func(tx models.Tx) error, evidence Evidence) error {
	err := Transaction(ctx, db, fn)
	var unknown *UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	limit := confirmTimeout
	if other, ok := db.Get(confirmKey); ok {
		limit, _ = other.(time.Duration)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for {
		switch tookEffect, e := find(ctx, db, evidence); {
		case e == nil && tookEffect:
			return nil
		case e == nil:
			return unknown.cause
		case !Away(e):
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(confirmPause): // the pool may hold more connections that are cut
		}
	}
}

func find(ctx context.Context, db *gorm.DB, evidence Evidence) (tookEffect bool, err error) {
	err = Transaction(ctx, db, func(tx models.Tx) (err error) {
		tookEffect, err = evidence(tx)
		return err
	})
	return tookEffect, err
}

// The pauses between two searches of WhenKnown, which double, and the time after which it gives up.
const (
	firstPause  = 100 * time.Millisecond
	longPause   = 15 * time.Second
	searchLimit = 15 * time.Minute
)

// WhenKnown calls then in the background once there is evidence that a transaction of unknown outcome took effect. It
// returns at once.
func WhenKnown(ctx context.Context, db *gorm.DB, log *slog.Logger, evidence Evidence, then func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), searchLimit)
	go func() {
		defer cancel()
		defer func() {
			if r := recover(); r != nil {
				log.ErrorContext(ctx, "search for a transaction panicked", "type", fmt.Sprintf("%T", r))
			}
		}()
		for pause := firstPause; ; pause = min(2*pause, longPause) {
			tookEffect, err := find(ctx, db, evidence)
			switch {
			case err == nil && tookEffect:
				then(ctx)
				return
			case err == nil:
				return
			case !Away(err) || ctx.Err() != nil:
				log.ErrorContext(ctx, "outcome of a transaction stays unknown", "err", err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}()
}
