package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// Filter selects entries of a history. The zero value selects all.
type Filter struct {
	Reason      models.Reason   // only this one; empty for all
	From, Until time.Time       // booked at or after From and before Until; zero for no bound
	Text        string          // in the note, the entry's id, its purchase's number, or the id of its purchase or hold
	TextReasons []models.Reason // whose names in the reader's language contain Text
}

const (
	// Stretch bounds the entries that one search reads, so that no history is too long to search.
	Stretch = 50_000
	// disorder bounds how much older an entry may be than its predecessor: created_at is the start of its transaction, and
	// a transaction that started earlier may book later. Transactions last seconds.
	disorder = time.Hour
)

// Search is History with a filter. It reads at most Stretch entries, so a page that is not full, or even empty, is not
// the last one unless its Next is 0.
func (s *Service) Search(ctx context.Context, userID, before int64, limit int, f Filter) (Page, error) {
	page, err := search(s.DB.WithContext(ctx), userID, before, limit, f)
	if err != nil {
		return Page{}, fmt.Errorf("search the history of user %d: %w", userID, err)
	}
	return page, nil
}

// search reads a page and, in the same round trip, what the further statements read.
func search(db *gorm.DB, userID, before int64, limit int, f Filter, further ...postgres.Statement) (Page, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	var page Page
	low, before, err := idBounds(db, userID, before, f)
	if err != nil {
		return page, err
	}
	where, args := f.indexed(userID, before, low)
	end := int64(0) // the last id of the stretch; 0 when the history ends before it
	if f.scans() {
		if end, err = stretchEnd(db, where, args); err != nil {
			return page, err
		}
		where, args = where+` AND c.id >= @end`, append(args, sql.Named("end", end))
	}
	match, more := f.matches()
	entries := entriesStatement(where+match, append(args, more...), limit+1, &page.Entries)
	if err := postgres.Pipeline(db, append(further, entries)...); err != nil {
		return page, err
	}
	page.Next = end
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = page.Entries[limit-1].ID
	}
	return page, nil
}

// entriesStatement reads up to limit entries c, newest first.
func entriesStatement(where string, args []any, limit int, into *[]models.CreditTransaction) postgres.Statement {
	// Labels and purchases are joined to the page, not to all entries that are read for it.
	// Named columns: an export reads in a snapshot, which cannot begin again when a release adds a column.
	return postgres.Statement{SQL: `SELECT c.*, coalesce(f.label_en, '') AS label_en, coalesce(f.label_de, '') AS label_de,
			coalesce(p.user_id <> c.user_id, false) AS moved_away, coalesce(p.number, 0) AS purchase_number
		FROM (SELECT c.id, c.user_id, c.delta_credits, c.reason, c.stripe_event_id, c.meta, c.created_at, c.balance_after
			FROM credit_transactions c WHERE ` + where + ` ORDER BY c.id DESC LIMIT @limit) c
		LEFT JOIN feature_prices f ON f.feature = c.reason
		LEFT JOIN purchases p ON p.id = ` + purchaseOf + ` ORDER BY c.id DESC`,
		Args: append(args, sql.Named("limit", limit)), Read: postgres.All(into)}
}

// purchaseOf is SQL for the id of the purchase of entry c.
const purchaseOf = `CASE WHEN c.meta ->> 'purchase_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
	THEN (c.meta ->> 'purchase_id')::uuid END`

// indexed returns the conditions that indexes answer.
func (f Filter) indexed(userID, before, low int64) (string, []any) {
	where := `c.user_id = @user AND c.id < @before AND c.id >= @low`
	if models.FixedReason(f.Reason) {
		// A literal, one of four constants, lets the planner use the index credit_transactions_user_reason.
		where += ` AND c.reason = '` + string(f.Reason) + `'`
	}
	return where, []any{sql.Named("user", userID), sql.Named("before", before), sql.Named("low", low)}
}

// everything reports whether the filter selects all entries.
func (f Filter) everything() bool { return f.Reason == "" && !f.scans() }

// scans reports whether the filter has conditions that no index answers.
func (f Filter) scans() bool {
	return f.Text != "" || f.Reason != "" && !models.FixedReason(f.Reason) || !f.From.IsZero() || !f.Until.IsZero()
}

// matches returns the conditions that are checked entry by entry.
func (f Filter) matches() (string, []any) {
	var where strings.Builder
	var args []any
	add := func(condition, name string, value any) {
		where.WriteString(" AND " + condition)
		args = append(args, sql.Named(name, value))
	}
	if f.Reason != "" && !models.FixedReason(f.Reason) {
		add(`c.reason = @reason`, "reason", string(f.Reason))
	}
	if !f.From.IsZero() {
		add(`c.created_at >= @from`, "from", f.From)
	}
	if !f.Until.IsZero() {
		add(`c.created_at < @until`, "until", f.Until)
	}
	if f.Text != "" {
		reasons := ""
		if len(f.TextReasons) > 0 {
			reasons = ` OR c.reason IN @reasons`
			args = append(args, sql.Named("reasons", f.TextReasons))
		}
		add(
			`(c.id::text = @text OR c.meta ->> 'purchase_id' = (SELECT id::text FROM purchases WHERE number = @number) OR c.meta ->> 'note' ILIKE @like OR c.meta ->> 'purchase_id' ILIKE @like OR c.meta ->> 'hold_id' ILIKE @like`+reasons+`)`,
			"like", "%"+likeEscape.Replace(f.Text)+"%")
		args = append(args, sql.Named("text", f.Text), sql.Named("number", models.ParsePurchaseNumber(f.Text)))
	}
	return where.String(), args
}

// likeEscape escapes the wildcards of LIKE.
var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// stretchEnd returns the id of the last entry that a search may read, 0 when it may read all.
func stretchEnd(db *gorm.DB, where string, args []any) (int64, error) {
	var end int64
	err := db.Raw(`SELECT c.id FROM credit_transactions c WHERE `+where+` ORDER BY c.id DESC OFFSET @skip LIMIT 1`,
		append(slices.Clip(args), sql.Named("skip", Stretch-1))...).Scan(&end).Error
	return end, err
}

// idBounds returns the ids, low <= id < high, between which the filter's time can lie.
func idBounds(db *gorm.DB, userID, before int64, f Filter) (low, high int64, err error) {
	high = before
	if !f.From.IsZero() {
		if low, err = firstEntryAt(db, userID, f.From.Add(-disorder)); err != nil {
			return 0, 0, err
		}
	}
	if !f.Until.IsZero() {
		end, err := firstEntryAt(db, userID, f.Until.Add(disorder))
		if err != nil {
			return 0, 0, err
		}
		high = min(before, end)
	}
	return low, high, nil
}

// firstEntryAt returns the id from which on the user's entries are not older than t. It bisects the ids, whose order is
// that of time, so created_at needs no index. Around t, entries may be out of order by less than disorder.
func firstEntryAt(db *gorm.DB, userID int64, t time.Time) (int64, error) {
	return firstIDAt(db, `user_id = @user`, t, sql.Named("user", userID))
}

func firstIDAt(db *gorm.DB, condition string, t time.Time, args ...any) (int64, error) {
	var id int64
	err := db.Raw(firstIDSQL(condition), append(args, sql.Named("at", t))...).Scan(&id).Error
	return id, err
}

// firstIDSQL selects the id from which on the entries with a condition are not older than @at.
func firstIDSQL(condition string) string {
	return `WITH RECURSIVE part (low, high) AS ( -- entries up to low are older, from high on they are not
		SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) + 1 FROM credit_transactions WHERE ` + condition + `
		UNION ALL
		SELECT coalesce(older.id, part.low), CASE WHEN older.id IS NULL THEN (part.low + part.high) / 2 ELSE part.high END
		FROM part LEFT JOIN LATERAL (
			SELECT next.id FROM (SELECT id, created_at FROM credit_transactions
				WHERE ` + condition + ` AND id >= (part.low + part.high) / 2 AND id < part.high ORDER BY id LIMIT 1) next
			WHERE next.created_at < @at
		) older ON true
		WHERE part.high - part.low > 1
	) SELECT high FROM part WHERE high - low <= 1`
}
