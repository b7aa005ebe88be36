package auth

import "time"

// Lifetimes; static/docs/operations.md repeats them.
const (
	CodeLife    = time.Minute         // between the two hosts of a hand-over
	FlowLife    = 10 * time.Minute    // between the sign-in page and the provider's answer
	SessionMax  = 30 * 24 * time.Hour // a session, however busy
	SessionIdle = 14 * 24 * time.Hour // an unused session of a user
	AdminIdle   = 30 * time.Minute    // an unused session of an admin
	RefusedLife = 90 * 24 * time.Hour // a refused identity, after its last attempt
	ReauthLife  = 10 * time.Minute    // a reauthentication, which allows irreversible actions
)
