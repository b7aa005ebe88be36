package admin

import (
	"context"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// StartPageQuery selects what the first page of the admin area shows.
type StartPageQuery struct {
	Users    UserQuery
	Searched bool // the reader searches, sorts or pages through users, so that only these are listed
	Business bool // with the figures of the business
	Monthly  bool // whose chart is by month, not by day
	Waiting  int  // items that need a person, at most
}

// StartPage is everything that the first page of the admin area shows.
type StartPage struct {
	Hits            []models.Hit // what the search matches besides users
	ByID            bool         // the search is for an id
	Users           []models.ListedUser
	Next            *UserCursor // of the next page of users; nil at the end
	Waiting         []models.Waiting
	WaitingTotal    int64
	OpenWithdrawals int64
	UnsentLetters   int64
	Overview        *models.Overview // nil unless asked for
}

// StartPage reads the first page of the admin area.
// Errors: those of FindByID.
func (s *Service) StartPage(ctx context.Context, q StartPageQuery) (p StartPage, err error) {
	if p.Hits, p.ByID, err = s.FindByID(ctx, q.Users.Text); err == nil && !p.ByID {
		p.Hits, err = s.FindAnonymousWithdrawals(ctx, q.Users.Text)
	}
	if err != nil {
		return p, err
	}
	if p.Users, p.Next, err = s.Users(ctx, q.Users); err != nil {
		return p, err
	}
	if p.OpenWithdrawals, err = (&withdrawal.Service{DB: s.DB}).CountOpen(ctx); err != nil {
		return p, err
	}
	if p.UnsentLetters, err = (&mail.Service{DB: s.DB}).CountUnsent(ctx); err != nil || q.Searched {
		return p, err
	}
	if p.Waiting, p.WaitingTotal, err = s.Waiting(ctx, q.Waiting); err != nil || !q.Business {
		return p, err
	}
	overview, err := s.Overview(ctx, time.Now(), q.Monthly)
	p.Overview = &overview
	return p, err
}
