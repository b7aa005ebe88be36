package spend

import (
	"encoding/binary"
	"sync"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/services/ledger"
)

// recent remembers whose the holds are that were made here lately: most are ended soon after, at the same server. Whose a
// hold is never changes, so this is never wrong; a hold that is not here is looked up. The zero value is ready.
type recent struct {
	mu   sync.Mutex
	seen [4096]whose // by the random part of the id; a later hold takes the place of an earlier one
}

type whose struct {
	id, owner uuid.UUID
	user      int64
}

func (r *recent) place(id uuid.UUID) *whose {
	return &r.seen[binary.BigEndian.Uint64(id[8:])%uint64(len(r.seen))]
}

// keep remembers a hold.
func (r *recent) keep(h ledger.Held) {
	w := whose{id: h.ID, user: h.UserID}
	if h.APIKeyID != nil {
		w.owner = *h.APIKeyID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.place(h.ID) = w
}

// user is whose hold of this owner it is, or 0.
func (r *recent) user(owner, id uuid.UUID) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := *r.place(id); w.id == id && w.owner == owner {
		return w.user
	}
	return 0
}
