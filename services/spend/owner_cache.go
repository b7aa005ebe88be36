package spend

import (
	"encoding/binary"
	"sync"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/services/ledger"
)

// ownerCache maps recent holds to their user, so that capture and release skip a lookup. The user of a hold never
// changes, so the cache is never stale. The zero value is ready.
type ownerCache struct {
	mu    sync.Mutex
	slots [4096]owned // by the random part of the hold's id; a later hold replaces an earlier one
}

// owned is a hold, the service key that made it, and its user.
type owned struct {
	hold, caller uuid.UUID
	user         int64
}

func (c *ownerCache) slot(hold uuid.UUID) *owned {
	return &c.slots[binary.BigEndian.Uint64(hold[8:])%uint64(len(c.slots))]
}

// add stores the user of a hold.
func (c *ownerCache) add(h ledger.Held) {
	o := owned{hold: h.ID, user: h.UserID}
	if h.APIKeyID != nil {
		o.caller = *h.APIKeyID
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.slot(h.ID) = o
}

// user returns the user of a caller's hold, or 0 when it is not in the cache.
func (c *ownerCache) user(caller, hold uuid.UUID) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := *c.slot(hold); o.hold == hold && o.caller == caller {
		return o.user
	}
	return 0
}
