package account

import (
	"context"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// Page is what the account page shows beside the user.
type Page struct {
	Identities []models.Identity // the oldest first
	Sessions   []models.Session  // the last used first
	Bounce     *models.Bounce    // how letters came back; nil when they do not
	Refused    []models.LetterKind
}

// Page reads the account page of a user.
func (s *Service) Page(ctx context.Context, userID int64) (p Page, err error) {
	letters := &mail.Service{DB: s.DB}
	for _, read := range []func() error{
		func() (err error) { p.Identities, err = s.Identities.Identities(ctx, userID); return },
		func() (err error) { p.Sessions, err = s.Sessions.List(ctx, userID); return },
		func() (err error) { p.Bounce, err = letters.Bounce(ctx, userID); return },
		func() (err error) { p.Refused, err = letters.Refusals(ctx, userID); return },
	} {
		if err := read(); err != nil {
			return Page{}, err
		}
	}
	return p, nil
}
