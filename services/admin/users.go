package admin

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
)

// UserOrder is what a list of users is sorted by.
type UserOrder string

// The orders. All begin with the most, or the latest, unless they are turned round.
const (
	ByJoined  UserOrder = "joined"
	ByBalance UserOrder = "balance"
	ByHeld    UserOrder = "held"
	ByBought  UserOrder = "bought" // the latest paid purchase; who has none comes last
)

// userKeys are the columns that a list is sorted by; the id tells equals apart. No index helps with balances: it would
// have to be moved with each spend.
var userKeys = map[UserOrder]string{
	ByJoined:  "u.id::bigint",
	ByBalance: "u.credits_balance::bigint",
	ByHeld:    "u.credits_held::bigint",
	ByBought:  "coalesce(extract(epoch FROM b.bought) * 1000000, 0)::bigint",
}

// UserQuery says which users are wanted, and in what order.
type UserQuery struct {
	Text      string // the beginning of an address, or a part of a name; empty for everybody
	Order     UserOrder
	Ascending bool
	After     UserCursor // where the page begins; the zero value is the beginning
	Limit     int
}

// UserCursor is the last user of a page: the value that the list is sorted by, and the id.
type UserCursor struct{ Key, ID int64 }

// KnownOrder reports whether users can be sorted by this.
func KnownOrder(o UserOrder) bool { return userKeys[o] != "" }

// Users returns a page of users, and where the next one begins; nil at the end. A text finds addresses that begin with
// it, as they or their provider spell them, and names that have it in them.
func (s *Service) Users(ctx context.Context, q UserQuery) ([]models.ListedUser, *UserCursor, error) {
	text := norm.NFC.String(strings.ToLower(strings.TrimSpace(q.Text)))
	if whole := address.Parse(text); whole != "" {
		text = whole
	}
	if !models.Storable(text) {
		return nil, nil, nil
	}
	key, compare, direction := userKeys[q.Order], "<", "DESC"
	if q.Ascending {
		compare, direction = ">", "ASC"
	}
	where, args := "true", []any{sql.Named("prefix", text), sql.Named("limit", q.Limit+1)}
	if text != "" {
		where += ` AND (starts_with(u.email, @prefix) OR strpos(lower(u.name), @prefix) > 0
			OR u.id IN (SELECT user_id FROM identities WHERE starts_with(email, @prefix)))`
	}
	if q.After != (UserCursor{}) {
		where += ` AND (` + key + `, u.id) ` + compare + ` (@after, @id)`
		args = append(args, sql.Named("after", q.After.Key), sql.Named("id", q.After.ID))
	}
	bought := "" // of everybody where the list is sorted by it, else of the page alone
	if q.Order == ByBought {
		bought = ` LEFT JOIN (SELECT user_id, max(created_at) AS bought FROM purchases WHERE paid_at IS NOT NULL GROUP BY user_id) b ON b.user_id = u.id`
	}
	var users []models.ListedUser
	err := s.DB.WithContext(ctx).Raw(`SELECT u.*, (SELECT coalesce(min(i.email), '') FROM identities i WHERE i.user_id = u.id
				AND NOT i.email_verified AND i.email <> '' AND (u.email IS NULL OR @prefix <> '' AND starts_with(i.email, @prefix))) AS claimed,
			(SELECT p.created_at FROM purchases p WHERE p.user_id = u.id AND p.paid_at IS NOT NULL ORDER BY p.created_at DESC LIMIT 1) AS bought
		FROM (SELECT u.*, `+key+` AS key FROM users u`+bought+` WHERE `+where+` ORDER BY key `+direction+`, u.id `+direction+` LIMIT @limit) u
		ORDER BY u.key `+direction+`, u.id `+direction, args...).Scan(&users).Error
	if err != nil {
		return nil, nil, fmt.Errorf("list users: %w", err)
	}
	if len(users) <= q.Limit {
		return users, nil, nil
	}
	users = users[:q.Limit]
	last := users[q.Limit-1]
	return users, &UserCursor{Key: last.Key, ID: last.ID}, nil
}
