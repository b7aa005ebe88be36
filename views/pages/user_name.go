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

// userName names a user: by name, by address or, if neither is known, by number.
func userName(ctx context.Context, u models.User) string {
	switch {
	case u.DeletedAt != nil:
		return locales.T(ctx, "admin_user.deleted_name", locales.Args{"id": strconv.FormatInt(u.ID, 10)})
	case u.Name != "":
		return u.Name
	case u.Email != "":
		return u.Email
	}
	return numbered(ctx, u.ID)
}

// person names a user by id, as they are known now. People lacks users who are erased.
func person(ctx context.Context, people map[int64]models.User, id int64) string {
	if u, ok := people[id]; ok {
		return userName(ctx, u)
	}
	return numbered(ctx, id)
}

// UserTitle tells the tabs of several users apart.
func UserTitle(ctx context.Context, u models.User) string { return userName(ctx, u) }
