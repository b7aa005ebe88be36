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
	DeletedAt        *time.Time // nil while the account exists
	DeleteAfter      *time.Time // the last day of the retention of a deleted account
	MergedInto       *int64     // the user who claimed this guest account, or nil
}

// Available returns the credits that the user can spend.
// Units: credits. Negative after a refund of credits already spent.
func (u User) Available() Credits { return u.CreditsBalance - u.CreditsHeld }

// RunsLow reports whether the user cannot afford cost. A negative balance is a state of its own.
func (u User) RunsLow(cost Credits) bool { return u.CreditsBalance >= 0 && u.Available() < cost }

// Identity is one way in which a user signs in: a provider's id for them.
type Identity struct {
	Issuer        string `gorm:"primaryKey"`
	Subject       string `gorm:"primaryKey"`
	UserID        int64
	Provider      string // as in the route: oidc, google, github or linkedin
	Email         string
	EmailVerified bool
	Name          string
	CreatedAt     time.Time
	LastSignInAt  time.Time
}

// RefusedIdentity is an identity that may not sign in, because user UserID has its verified address.
type RefusedIdentity struct {
	Issuer, Subject       string
	UserID                int64
	Provider, Email, Name string
	CreatedAt, LastSeenAt time.Time
}

// AdminIdentity is the identity with the admin right of an address in ADMIN_EMAILS.
type AdminIdentity struct {
	Email, Issuer, Subject string
	CreatedAt              time.Time
}

// Session is one signed-in browser, found by the hash of its cookie.
type Session struct {
	KeyHash         string `gorm:"primaryKey"`
	Key             string `gorm:"-"` // the cookie's value, only during its request
	UserID          int64
	Issuer, Subject string     // the identity that opened it; empty for sessions older than these columns
	Device          string     // browser and system, as "Firefox, Linux"; empty if unknown
	ProvedAt        *time.Time // when its user last proved to be present
	ElsewhereAt     *time.Time // a sign-in in another browser, not shown in this session yet
	ElsewhereDevice string
	CreatedAt       time.Time
	LastSeenAt      time.Time // within a minute
	ExpiresAt       time.Time
}
