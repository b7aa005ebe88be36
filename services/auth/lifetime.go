package auth

import "time"

// How long what says who somebody is stays good. README's table of lifetimes is this list.
const (
	FlowLife    = 10 * time.Minute    // between the sign-in page and the provider's answer
	SessionMax  = 30 * 24 * time.Hour // a session, however busy
	SessionIdle = 14 * 24 * time.Hour // a user's session that nobody uses
	AdminIdle   = 30 * time.Minute    // an admin's that nobody uses
	RefusedLife = 90 * 24 * time.Hour // a refused identity that does not come again, for an admin to link
	ProofLife   = 10 * time.Minute    // from a proof of presence on, the session may do what cannot be undone
)
