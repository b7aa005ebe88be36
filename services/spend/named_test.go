package spend_test

import (
	"context"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// A service identifies users by address. After the address moves to another user, a repeated request still concerns
// the first user and a new request the second.
func TestRepeatByAddress(t *testing.T) {
	t.Parallel()
	s, db, first := setUp(t, 100)
	ctx := context.Background()
	caller := dbtest.ServiceKey(t, db)
	byAddress := func(feature, key string) spend.HoldRequest {
		return spend.HoldRequest{Request: spend.Request{Caller: caller, Email: " Ada@Example.com", Feature: feature,
			Key: key}}
	}
	spent, err := s.Spend(ctx, byAddress("job_match", "spend").Request)
	if err != nil || spent.UserID != first {
		t.Fatalf("spend = %+v, %v; want user %d", spent, err, first)
	}
	held, err := s.Hold(ctx, byAddress("job_match", "hold"))
	if err != nil || held.UserID != first {
		t.Fatalf("hold = %+v, %v; want user %d", held, err, first)
	}
	if err := errorsOf(db, `UPDATE users SET email = NULL WHERE email = 'ada@example.com'`); err != nil {
		t.Fatal(err)
	}
	second := dbtest.User(t, db, "ada@example.com").ID
	err = postgres.Transaction(ctx, db, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: second, Delta: 100, Reason: models.ReasonManual})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Concurrently(20, func(i int) {
		if i%2 == 0 {
			if again, err := s.Spend(ctx, byAddress("job_match", "spend").Request); err != nil || !again.Replayed ||
				again.ID != spent.ID {
				t.Errorf("the spend again = %+v, %v; want entry %d", again, err, spent.ID)
			}
		} else if again, err := s.Hold(ctx, byAddress("job_match", "hold")); err != nil || !again.Replayed ||
			again.ID != held.ID {
			t.Errorf("the hold again = %+v, %v; want hold %s", again, err, held.ID)
		}
	})
	if _, err := s.Spend(ctx, byAddress("resume_analysis", "spend").Request); !fault.Is(err, fault.Conflict) {
		t.Errorf("another request with the key: error = %v, want conflict", err)
	}
	if other, err := s.Spend(ctx, byAddress("job_match", "new").Request); err != nil || other.UserID != second {
		t.Errorf("a new request = %+v, %v; want user %d", other, err, second)
	}
	dbtest.CheckLedger(t, db)
}

// A user who signs in with an unverified address gets no credits meant for the owner of that address.
func TestAddressOfASquatter(t *testing.T) {
	t.Parallel()
	s, db, squatter := setUp(t, 100)
	ctx := context.Background()
	for _, statement := range []string{`UPDATE users SET email = NULL WHERE id = ?`,
		`INSERT INTO identities (issuer, subject, user_id, provider, email) VALUES ('i', 's', ?, 'github', 'ada@example.com')`} {
		if err := db.Exec(statement, squatter).Error; err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Account(ctx, 0, "ada@example.com", false); !fault.Is(err, fault.NotFound) {
		t.Errorf("the squatter's account: error = %v, want not found", err)
	}
	owner, err := s.Account(ctx, 0, "ada@example.com", true)
	if err != nil || owner == squatter {
		t.Errorf("account = %d, %v; want a new one for the owner", owner, err)
	}
}

// All spellings of a mailbox name one user. A letter that lower-casing turns into ASCII makes the address invalid.
func TestAddressInAnotherSpelling(t *testing.T) {
	t.Parallel()
	s, db, _ := setUp(t, 100)
	ctx := context.Background()
	for _, email := range []string{"karla@example.org", "j\u00f6rg@b\u00fccher.example"} {
		want := dbtest.User(t, db, email).ID
		for _, typed := range map[string][]string{
			"karla@example.org": {"KARLA@Example.ORG", " karla@example.org.", "karla@example.org"},
			"j\u00f6rg@b\u00fccher.example": {"jo\u0308rg@bu\u0308cher.example", "j\u00f6rg@xn--bcher-kva.example",
				"J\u00d6RG@B\u00dcCHER.example."},
		}[email] {
			if got, err := s.Account(ctx, 0, typed, true); err != nil || got != want {
				t.Errorf("%+q is user %d (%v), want %d", typed, got, err, want)
			}
		}
	}
	for _, typed := range []string{"\u212aarla@example.org", "karla@example.org\u200b", "karla"} {
		if got, err := s.Account(ctx, 0, typed, true); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+q is user %d (%v), want a refusal", typed, got, err)
		}
	}
}

// A locked user does not stop other users' holds from expiring.
func TestExpiryBesideALockedUser(t *testing.T) {
	t.Parallel()
	s, db, first := setUp(t, 100)
	ctx := context.Background()
	second := dbtest.User(t, db, "bob@example.com").ID
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: second, Delta: 100, Reason: models.ReasonManual})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []int64{first, second} {
		if _, err := s.Hold(ctx, request(dbtest.ServiceKey(t, db), user, "job_match", "")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errorsOf(db, `UPDATE holds SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	var sweeping sync.WaitGroup
	err = postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, first); err != nil {
			return err
		}
		sweeping.Go(func() {
			impatient := spend.Service{DB: dbtest.WithShortLockTimeout(t, db), Log: s.Log}
			if n, err := impatient.ExpireDue(ctx); n != 1 || !postgres.Away(err) {
				t.Errorf("%d holds expired, %v; want the other user's, and an error for the locked one", n, err)
			}
		})
		sweeping.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.ExpireDue(ctx); n != 1 || err != nil {
		t.Errorf("then %d holds expired, %v; want the other one", n, err)
	}
	dbtest.CheckLedger(t, db)
}
