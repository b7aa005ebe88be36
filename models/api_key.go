package models

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// What a service key may be good for.
const (
	ScopeSpend = "spend" // also reads
	ScopeRead  = "read"
)

// KeyScopes lists every scope. The database knows the same list (api_keys_scopes_known).
func KeyScopes() []string { return []string{ScopeSpend, ScopeRead} }

// APIKey is a service key, with which a program calls us on behalf of users. The key itself is stored as a hash, which
// no row that leaves the database carries.
type APIKey struct {
	ID         uuid.UUID
	Name       string
	Prefix     string // the key's beginning, by which people tell keys apart
	Scopes     Scopes
	PerMinute  int    // calls; 0 is no limit
	CreatedBy  *int64 // nil for an operator on the command line
	CreatedAt  time.Time
	LastUsedAt *time.Time // to the minute; nil before the first use
	RevokedAt  *time.Time // for ever, once it is set
	ExpiresAt  *time.Time // nil: it does not end by itself
}

// expirySoon is how long before a key ends its admins should see it.
const expirySoon = 14 * 24 * time.Hour

// Expired reports whether the key has ended by itself.
func (a APIKey) Expired(now time.Time) bool { return a.ExpiresAt != nil && !now.Before(*a.ExpiresAt) }

// ExpiresSoon reports whether the key's program needs another one within two weeks.
func (a APIKey) ExpiresSoon(now time.Time) bool {
	return a.ExpiresAt != nil && !now.Before(a.ExpiresAt.Add(-expirySoon))
}

// Allows reports whether the key is good for something. Whoever may spend may also read.
func (a APIKey) Allows(scope string) bool {
	return slices.Contains(a.Scopes, scope) || scope == ScopeRead && slices.Contains(a.Scopes, ScopeSpend)
}

// Scopes is a column of plain words.
type Scopes []string

// Value writes the words as an array of PostgreSQL's; none of them needs quotes.
func (s Scopes) Value() (driver.Value, error) { return "{" + strings.Join(s, ",") + "}", nil }

// Scan reads an array of PostgreSQL's.
func (s *Scopes) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("scopes: cannot read %T", value)
	}
	*s = nil
	if text = strings.Trim(text, "{}"); text != "" {
		*s = strings.Split(text, ",")
	}
	return nil
}
