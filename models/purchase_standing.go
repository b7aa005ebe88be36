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
	switch back := p.CreditsRefunded + p.CreditsDisputed; {
	case back == 0:
		return Standing(p.Status)
	case p.CreditsDisputed > 0:
		return StandingDisputed
	case back < p.CreditsGranted:
		return StandingPartlyReturned
	}
	return StandingReturned
}
