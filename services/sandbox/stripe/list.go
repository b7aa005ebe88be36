package stripe

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

const (
	defaultPage = 10
	maxPage     = 100
)

// pageParams are the parameters of every list.
var pageParams = schema{
	"limit": integer(1, maxPage), "starting_after": identifier,
	"created": integer(0, 1<<40), "created[gt]": integer(0, 1<<40), "created[gte]": integer(0, 1<<40),
	"created[lt]": integer(0, 1<<40), "created[lte]": integer(0, 1<<40),
}

// list describes a list of objects of one kind.
type list struct {
	kind    string
	url     string
	filters []string // parameters that must equal the member of the same name
	among   []string // the same, for lists of allowed values: lookup_keys[] and lookup_key
}

func (l list) params() schema {
	s := pageParams.with()
	for _, name := range l.filters {
		s[name] = anything
	}
	for _, name := range l.among {
		s[name+"[]"] = anything
	}
	return s
}

// condition collects the terms of a WHERE clause and their arguments.
type condition struct {
	terms []string
	args  []any
}

func (c *condition) and(term string, arg any) {
	c.args = append(c.args, arg)
	c.terms = append(c.terms, strings.ReplaceAll(term, "?", fmt.Sprintf("$%d", len(c.args))))
}

// serve returns the requested page of the list, newest first.
func (l list) serve(ctx context.Context, t *txn, c *call) (any, error) {
	var where condition
	where.and("kind = ?", l.kind)
	where.terms = append(where.terms, "NOT jsonb_exists(data, 'deleted')")
	for _, name := range l.filters {
		if c.form.has(name) {
			where.and("data ->> '"+name+"' = ?", c.form[name])
		}
	}
	for _, name := range l.among {
		if values := c.form.texts(name); len(values) > 0 {
			where.and("data ->> '"+strings.TrimSuffix(name, "s")+"' = ANY (?)", values)
		}
	}
	where.created(c.form)
	return t.page(ctx, "objects", l.url, where, c.form)
}

func (c *condition) created(f form) {
	for name, operator := range map[string]string{
		"created": "=", "created[gt]": ">", "created[gte]": ">=", "created[lt]": "<", "created[lte]": "<=",
	} {
		if f.has(name) {
			c.and("(data ->> 'created')::bigint "+operator+" ?", f.integer(name))
		}
	}
}

// page reads one page of a table with the columns id, seq and data.
func (t *txn) page(ctx context.Context, table, url string, where condition, f form) (map[string]any, error) {
	limit := f.integer("limit")
	if limit == 0 {
		limit = defaultPage
	}
	if after := f["starting_after"]; after != "" {
		var seq int64
		err := t.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM stripe_sandbox.`+table+` WHERE id = $1`,
			after).Scan(&seq)
		if err != nil {
			return nil, fmt.Errorf("find page: %w", err)
		}
		if seq == 0 {
			return nil, missing("object", after, "starting_after")
		}
		where.and("seq < ?", seq)
	}
	columns := "data"
	if table == "events" {
		columns = eventColumns
	}
	data, err := t.rows(ctx, `SELECT `+columns+` FROM stripe_sandbox.`+table+` WHERE `+strings.Join(where.terms, " AND ")+
		fmt.Sprintf(` ORDER BY seq DESC LIMIT %d`, limit+1), where.args...)
	if err != nil {
		return nil, err
	}
	more := int64(len(data)) > limit
	if more {
		data = data[:limit]
	}
	return envelope(url, data, more), nil
}

// envelope returns a list in its wire format.
func envelope(url string, data []any, more bool) map[string]any {
	return map[string]any{"object": "list", "url": url, "has_more": more, "data": data}
}

// rows reads objects.
func (t *txn) rows(ctx context.Context, query string, args ...any) ([]any, error) {
	return delivery.Collect(ctx, &t.Tx, func(rows *sql.Rows, one *any) error {
		var data string
		if err := rows.Scan(&data); err != nil {
			return err
		}
		m, err := decodeMap([]byte(data))
		*one = m
		return err
	}, query, args...)
}

// idsOfPayment returns the identifiers of a payment's objects of one kind, newest first.
func (t *txn) idsOfPayment(ctx context.Context, kind, payment string) ([]string, error) {
	return delivery.Column[string](ctx, &t.Tx, `SELECT id FROM stripe_sandbox.objects
		WHERE kind = $1 AND data ->> 'payment_intent' = $2 ORDER BY seq DESC`, kind, payment)
}
