package models

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Scopes of a service key.
const (
	ScopeSpend = "spend" // also reads
	ScopeRead  = "read"
)

// KeyScopes lists every scope. The constraint api_keys_scopes_known has the same list.
func KeyScopes() []string { return []string{ScopeSpend, ScopeRead} }

// APIKey is a service key, with which a program calls the API on behalf of users. The database stores the key itself as
// a hash, which is not a field here.
type APIKey struct {
	ID         uuid.UUID
	Name       string
	Prefix     string // the start of the key, by which people recognize it
	Scopes     TextArray
	PerMinute  int    // calls; 0 means no limit
	CreatedBy  *int64 // nil for an operator on the command line
	CreatedAt  time.Time
	LastUsedAt *time.Time // to the minute; nil before the first use
	RevokedAt  *time.Time // final
	ExpiresAt  *time.Time // nil for never
}

// expirySoon is how long before the end of a key admins are warned.
const expirySoon = 14 * 24 * time.Hour

// Expired reports whether the key is past its expiry.
func (a APIKey) Expired(now time.Time) bool { return a.ExpiresAt != nil && !now.Before(*a.ExpiresAt) }

// ExpiresSoon reports whether the key expires within two weeks, or has expired.
func (a APIKey) ExpiresSoon(now time.Time) bool {
	return a.ExpiresAt != nil && !now.Before(a.ExpiresAt.Add(-expirySoon))
}

// Allows reports whether the key has a scope. ScopeSpend includes ScopeRead.
func (a APIKey) Allows(scope string) bool {
	return slices.Contains(a.Scopes, scope) || scope == ScopeRead && slices.Contains(a.Scopes, ScopeSpend)
}
