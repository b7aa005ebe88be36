package spend

import (
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// The cache returns a hold's owner only to the hold's caller, and never for another hold in the same slot.
func TestOwnerCache(t *testing.T) {
	t.Parallel()
	var c ownerCache
	key, other := uuid.New(), uuid.New()
	hold := func(id uuid.UUID, caller *uuid.UUID, user int64) uuid.UUID {
		c.add(ledger.Held{Hold: models.Hold{ID: id, APIKeyID: caller, UserID: user}})
		return id
	}
	wantUser := func(id, caller uuid.UUID, want int64) {
		t.Helper()
		if got := c.user(caller, id); got != want {
			t.Errorf("user = %d, want %d", got, want)
		}
	}
	first := hold(uuid.New(), &key, 7)
	wantUser(first, key, 7)
	wantUser(first, other, 0)
	wantUser(first, uuid.Nil, 0)
	wantUser(uuid.Nil, uuid.Nil, 0)
	same := first // the same slot
	same[0]++
	wantUser(same, key, 0)
	hold(same, nil, 8)
	wantUser(same, uuid.Nil, 8)
	wantUser(first, key, 0)
}
