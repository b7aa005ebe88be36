package spend

import (
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// What is remembered of a hold is told to its owner alone, and never of another hold that has its place.
func TestRecent(t *testing.T) {
	t.Parallel()
	var r recent
	key, other := uuid.New(), uuid.New()
	hold := func(id uuid.UUID, owner *uuid.UUID, user int64) uuid.UUID {
		r.keep(ledger.Held{Hold: models.Hold{ID: id, APIKeyID: owner, UserID: user}})
		return id
	}
	of := func(id, owner uuid.UUID, want int64) {
		t.Helper()
		if got := r.user(owner, id); got != want {
			t.Errorf("the hold is of user %d, want %d", got, want)
		}
	}
	first := hold(uuid.New(), &key, 7)
	of(first, key, 7)
	of(first, other, 0)
	of(first, uuid.Nil, 0)
	of(uuid.Nil, uuid.Nil, 0)
	same := first // its place
	same[0]++
	of(same, key, 0)
	hold(same, nil, 8)
	of(same, uuid.Nil, 8)
	of(first, key, 0)
}
