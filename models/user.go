package models

import "time"

// User is a person with a balance. Email and StripeCustomerID are empty where the column is NULL.
type User struct {
	ID               int64
	Email            string
	Name             string
	StripeCustomerID string
	CreditsBalance   Credits // sum of the user's credit transactions
	CreditsHeld      Credits // sum of the user's open holds
	Locale           string  // "de", "en", or "" when never chosen
	CreatedAt        time.Time
	UpdatedAt        time.Time
	DeletedAt        *time.Time // nil while there is somebody behind it
	DeleteAfter      *time.Time // the last day on which what is left of a deleted account must be kept
	MergedInto       *int64     // who claimed what was on this account; nil while it is anybody's own
}

// Available is what the user can spend now.
// Units: credits. Negative after a refund of credits already spent.
func (u User) Available() Credits { return u.CreditsBalance - u.CreditsHeld }

// RunsLow reports whether the user can no longer afford something that costs credits. A debt is a state of its own.
func (u User) RunsLow(cost Credits) bool { return u.CreditsBalance >= 0 && u.Available() < cost }

// Identity is one way in which a user signs in: the provider's own id for them.
type Identity struct {
	Issuer        string `gorm:"primaryKey"`
	Subject       string `gorm:"primaryKey"`
	UserID        int64
	Provider      string // the route's name of the provider: oidc, google, github, linkedin
	Email         string
	EmailVerified bool
	Name          string
	CreatedAt     time.Time
	LastSignInAt  time.Time
}

// RefusedIdentity is one that opens nothing, because user UserID has its verified address.
type RefusedIdentity struct {
	Issuer, Subject       string
	UserID                int64
	Provider, Email, Name string
	CreatedAt, LastSeenAt time.Time
}

// AdminIdentity is the identity that holds the right of an address of ADMIN_EMAILS.
type AdminIdentity struct {
	Email, Issuer, Subject string
	CreatedAt              time.Time
}

// Session is one signed-in browser, found by the hash of its cookie.
type Session struct {
	KeyHash         string `gorm:"primaryKey"`
	Key             string `gorm:"-"` // the cookie's value, for the request that brought it
	UserID          int64
	Issuer, Subject string     // the identity that opened it; empty for sessions from before this was noted
	Device          string     // browser and system in two words, as "Firefox, Linux"; empty when it is neither
	ProvedAt        *time.Time // when its user last proved to be present
	ElsewhereAt     *time.Time // a sign-in in another browser that this one has not told of yet
	ElsewhereDevice string
	CreatedAt       time.Time
	LastSeenAt      time.Time // within a minute
	ExpiresAt       time.Time
}
