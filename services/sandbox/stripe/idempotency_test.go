package stripe_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	database := dbtest.Empty(t)
	s := startOn(t, database, newReceiver(t))
	customer := func(key, name string) (*stripe.Customer, error) {
		params := &stripe.CustomerParams{Name: stripe.String(name)}
		params.IdempotencyKey = stripe.String(key)
		return s.api.Customers.New(params)
	}
	first, err := customer("customer:1", "Erika")
	if err != nil {
		t.Fatalf("make customer: %v", err)
	}
	again, err := customer("customer:1", "Erika")
	if err != nil || again.ID != first.ID || again.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replay: got %+v, %v", again, err)
	}
	_, err = customer("customer:1", "Max")
	wantError(t, err, 400, "", "")
	var failure *stripe.Error
	if !errors.As(err, &failure) || failure.Type != stripe.ErrorTypeIdempotency {
		t.Errorf("error: got %v, want an idempotency error", err)
	}

	t.Run("creates one object for concurrent requests", func(t *testing.T) {
		ids := make([]string, 10)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				one, err := customer("customer:2", "Erika")
				if err == nil {
					ids[i] = one.ID
				} else {
					wantError(t, err, 409, "idempotency_key_in_use", "")
				}
			})
		}
		all.Wait()
		made := map[string]bool{}
		for _, id := range ids {
			if id != "" {
				made[id] = true
			}
		}
		if len(made) != 1 {
			t.Errorf("made %d customers, want 1", len(made))
		}
	})
	t.Run("refuses a key in use", func(t *testing.T) {
		holdKey(t, database, "customer:3")
		_, err := customer("customer:3", "Erika")
		wantError(t, err, 409, "idempotency_key_in_use", "")
	})
	t.Run("replays an answer while a request holds its key", func(t *testing.T) {
		holdKey(t, database, "customer:1")
		if again, err := customer("customer:1", "Erika"); err != nil || again.ID != first.ID {
			t.Errorf("replay: got %+v, %v", again, err)
		}
	})
	t.Run("stores a refusal too", func(t *testing.T) {
		refuse := func() error {
			params := &stripe.RefundParams{PaymentIntent: stripe.String("pi_unknown")}
			params.IdempotencyKey = stripe.String("refund:1")
			_, err := s.api.Refunds.New(params)
			return err
		}
		var a, b *stripe.Error
		if !errors.As(refuse(), &a) || !errors.As(refuse(), &b) || a.Msg != b.Msg ||
			b.LastResponse.Header.Get("Original-Request") != a.RequestID {
			t.Errorf("refusals: got %v, %v", a, b)
		}
	})
}

// holdKey locks the key like another request that runs until the test ends.
func holdKey(t *testing.T, database, key string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`,
		"stripe_sandbox:"+key); err != nil {
		t.Fatalf("lock: %v", err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(); err != nil {
			t.Errorf("roll back: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}
