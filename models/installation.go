package models

import (
	"time"

	"github.com/google/uuid"
)

// Installation is the one row that says which installation of the product this database belongs to.
type Installation struct {
	ID        uuid.UUID
	CreatedAt time.Time // what was made at Stripe before then carries no tag
}
