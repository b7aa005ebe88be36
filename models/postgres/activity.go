package postgres

import (
	"context"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/periodic"
)

// activity tells of statements that serve a request or a command.
type activity struct{ noted atomic.Pointer[func()] }

const activityKey = "credits:activity"

// OnActivity sets the function that is called before each statement on db, unless it is in the background; see
// periodic.Background. The function must be fast.
func OnActivity(db *gorm.DB, noted func()) {
	if a, ok := db.Get(activityKey); ok {
		a.(*activity).noted.Store(&noted)
	}
}

// note tells of a statement.
func (a *activity) note(ctx context.Context) {
	if noted := a.noted.Load(); noted != nil && !periodic.InBackground(ctx) {
		(*noted)()
	}
}
