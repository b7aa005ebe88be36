package admin

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
)

// UserOrder is the sort key of a list of users.
type UserOrder string

// The sort keys, descending unless UserQuery.Ascending is set.
const (
	ByJoined  UserOrder = "joined"
	ByBalance UserOrder = "balance"
	ByHeld    UserOrder = "held"
	ByBought  UserOrder = "bought" // latest paid purchase; users without one are last
)

// userKeys are the SQL expressions of the sort keys; the id breaks ties. Balances have no index, because every spend
// would have to update it.
var userKeys = map[UserOrder]string{
	ByJoined:  "u.id::bigint",
	ByBalance: "u.credits_balance::bigint",
	ByHeld:    "u.credits_held::bigint",
	ByBought:  "coalesce(extract(epoch FROM b.bought) * 1000000, 0)::bigint",
}

// UserQuery filters and sorts users.
type UserQuery struct {
	Text      string // part of an address or name; empty matches every user
	Order     UserOrder
	Ascending bool
	After     UserCursor // last user of the previous page; zero for the first page
	Limit     int
}

// UserCursor is the sort key and id of the last user of a page.
type UserCursor struct{ Key, ID int64 }

// KnownOrder reports whether users can be sorted by o.
func KnownOrder(o UserOrder) bool { return userKeys[o] != "" }

// MaxMatches is how many users a search finds by address or name, the newest; and as many by an address that a provider
// spells differently.
const MaxMatches = 1000

// maxWords is how many words of a search are looked for one by one; what follows them is one more.
const maxWords = 5

// matchSQL selects the newest users with each of the needles, @needle0 and so on, in their address or name, or in an
// address that they sign in with. The indexes users_search and identities_search have the runs of three characters of
// the same expressions. Of a run that many users have, PostgreSQL reads the newest users instead, until it has found
// enough.
func matchSQL(needles int) string {
	matches := func(text string) string {
		var all []string
		for i := range needles {
			all = append(all, fmt.Sprintf(`trigrams(%[1]s) @> trigrams(lower(@needle%[2]d)) AND strpos(%[1]s, lower(@needle%[2]d)) > 0`, text, i))
		}
		return strings.Join(all, " AND ")
	}
	return fmt.Sprintf(`u.id IN ((SELECT id FROM users WHERE %[1]s ORDER BY id DESC LIMIT %[3]d)
		UNION (SELECT user_id FROM identities WHERE %[2]s ORDER BY user_id DESC LIMIT %[3]d))`,
		matches(`'  ' || lower(coalesce(email, '')) || '  ' || lower(name)`), matches(`'  ' || lower(email)`), MaxMatches)
}

// needlesOf returns what to look for in the indexed texts, which begin with two spaces. Single letters alone are looked
// for as they stand, since no index has them.
func needlesOf(text string) []string {
	words := strings.Fields(text)
	if len(words) > maxWords {
		words = append(words[:maxWords], strings.Join(words[maxWords:], " "))
	}
	long := func(word string) bool { return utf8.RuneCountInString(word) > 1 }
	switch {
	case len(words) == 1 && MatchesBeginnings(text):
		return []string{"  " + text}
	case len(words) > 0 && !slices.ContainsFunc(words, long):
		return []string{text}
	}
	for i, word := range words {
		if MatchesBeginnings(word) {
			words[i] = " " + word
		}
	}
	return words
}

// MatchesBeginnings reports whether Users finds text only at the beginning of an address or a name, and among other
// words only at the beginning of a word, because the indexes have runs of three characters.
func MatchesBeginnings(text string) bool { return utf8.RuneCountInString(text) < 3 }

// Users returns a page of users and the cursor of the next one, nil at the end. Text matches any part of an address, as
// stored or as the provider spells it, and of a name. Several words match in any order. One or two characters match
// the beginning, those among several words that of a word. The database's locale decides which letters are equal but
// for their case. See MaxMatches.
func (s *Service) Users(ctx context.Context, q UserQuery) ([]models.ListedUser, *UserCursor, error) {
	text := norm.NFC.String(strings.TrimSpace(q.Text))
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
	where, args := "true", []any{sql.Named("text", text), sql.Named("limit", q.Limit+1)}
	if needles := needlesOf(text); len(needles) > 0 {
		where += ` AND ` + matchSQL(len(needles))
		for i, needle := range needles {
			args = append(args, sql.Named(fmt.Sprintf("needle%d", i), needle))
		}
	}
	if q.After != (UserCursor{}) {
		where += ` AND (` + key + `, u.id) ` + compare + ` (@after, @id)`
		args = append(args, sql.Named("after", q.After.Key), sql.Named("id", q.After.ID))
	}
	bought := "" // joined for every user only when the list is sorted by it
	if q.Order == ByBought {
		bought =
			` LEFT JOIN (SELECT user_id, max(created_at) AS bought FROM purchases WHERE paid_at IS NOT NULL GROUP BY user_id) b ON b.user_id = u.id`
	}
	var users []models.ListedUser
	err := s.DB.WithContext(ctx).
		Raw(`SELECT u.*, (SELECT coalesce(min(i.email), '') FROM identities i WHERE i.user_id = u.id
				AND NOT i.email_verified AND i.email <> '' AND (u.email IS NULL OR @text <> '' AND strpos(lower(i.email), lower(@text)) > 0)) AS claimed,
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
