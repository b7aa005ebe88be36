package models

import (
	"time"

	"github.com/google/uuid"
)

// Installation is the only row of its table: the identity of this installation.
type Installation struct {
	ID        uuid.UUID
	CreatedAt time.Time // Stripe objects created before this have no tag
}
