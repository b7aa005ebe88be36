package models

// Standing is a purchase's status, or how much of it went back.
type Standing string

// The standings beside the statuses.
const (
	StandingDisputed       Standing = "disputed"
	StandingPartlyReturned Standing = "partly_returned"
	StandingReturned       Standing = "returned"
)

// Standing sums up a purchase in one word.
func (p Purchase) Standing() Standing {
	switch {
	case p.CreditsReturned() == 0:
		return Standing(p.Status)
	case p.CreditsDisputed > 0:
		return StandingDisputed
	case p.CreditsLeft() > 0:
		return StandingPartlyReturned
	}
	return StandingReturned
}
