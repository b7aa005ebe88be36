package models

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry is one entry of the append-only audit log.
type AuditEntry struct {
	ID        int64
	Actor     string // admin, user, operator or system
	ActorID   *int64
	Action    string
	UserID    *int64
	Detail    json.RawMessage
	RequestID string
	Source    string // as Actor.Source; empty when no request caused the entry
	CreatedAt time.Time

	PurchaseNumber PurchaseNumber `gorm:"-"` // of the purchase in Detail; 0 unless a page has looked it up
}

// TableName is audit_log, in the singular.
func (AuditEntry) TableName() string { return "audit_log" }

// Actor is the sender of the current request, for the audit log.
type Actor struct {
	AdminID   int64 // 0 for all others
	UserID    int64 // of the session; 0 without one
	RequestID string
	Source    string // 16 hex digits: a keyed hash of the sender's IP address
}

type actorKey struct{}

// WithActor returns a context whose audit entries name the actor.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns the actor of a context; the zero Actor on the command line and in background jobs.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// kind returns the actor column.
func (a Actor) kind() string {
	switch {
	case a.AdminID != 0:
		return "admin"
	case a.UserID != 0:
		return "user"
	case a.RequestID != "":
		return "system" // an anonymous request
	}
	return "operator"
}

// AuditEvent is an action to record in the audit log.
type AuditEvent struct {
	ActorID   int64 // the admin; 0 for the context's actor
	Action    Action
	UserID    int64          // the user concerned; 0 for none
	Detail    map[string]any // no secrets, no addresses
	RequestID string         // empty for the context's
}

// AppendAudit appends an entry to the audit log, in the transaction that makes the change. The actor comes from the
// transaction's context, so that no caller can forget it; see WithActor. An entry about users' own actions names them
// in user_id only, since accounts in actor_id are never removed.
func AppendAudit(tx Tx, e AuditEvent) error {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	if e.Detail == nil {
		detail = []byte("{}")
	}
	a := ActorOf(tx.Statement.Context)
	a.AdminID = cmp.Or(e.ActorID, a.AdminID)
	err = tx.Exec(`INSERT INTO audit_log (actor, actor_id, action, user_id, detail, request_id, source)
		VALUES (?, nullif(?::integer, 0), ?, nullif(?::integer, 0), ?::jsonb, ?, ?)`,
		a.kind(), a.AdminID, e.Action.String(), e.UserID, string(detail), cmp.Or(e.RequestID, a.RequestID), a.Source).Error
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// auditReach is how many of the newest entries Audited reads.
const auditReach = 1000

// Audited reports whether the request of the transaction's context has just written an audit entry. It is false outside
// a request, whose id is random.
func Audited(tx Tx) (found bool, err error) {
	a := ActorOf(tx.Statement.Context)
	if a.RequestID == "" {
		return false, nil
	}
	err = tx.Raw(`SELECT EXISTS (SELECT FROM (SELECT request_id FROM audit_log ORDER BY id DESC LIMIT ?) newest
		WHERE request_id = ?)`, auditReach, a.RequestID).Scan(&found).Error
	if err != nil {
		return false, fmt.Errorf("look for the request's audit entry: %w", err)
	}
	return found, nil
}
