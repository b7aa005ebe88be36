package pages

import (
	"context"
	"strconv"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
)

// numbered names a user by number.
func numbered(ctx context.Context, id int64) string {
	return locales.T(ctx, "admin_user.unnamed", locales.Args{"id": strconv.FormatInt(id, 10)})
}

// userName names a user.
func userName(ctx context.Context, u models.User) string {
	if u.DeletedAt != nil {
		return locales.T(ctx, "admin_user.deleted_name", locales.Args{"id": strconv.FormatInt(u.ID, 10)})
	}
	if u.Name != "" {
		return u.Name
	}
	return numbered(ctx, u.ID)
}

// UserTitle tells the tabs of several users apart.
func UserTitle(ctx context.Context, u models.User) string { return userName(ctx, u) }
