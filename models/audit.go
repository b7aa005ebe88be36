package models

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry is one line of the append-only audit log.
type AuditEntry struct {
	ID        int64
	Actor     string // admin, user, operator or system
	ActorID   *int64
	Action    string
	UserID    *int64
	Detail    json.RawMessage
	RequestID string
	Source    string // from where: the same text for the same sender; empty where nobody sent anything
	CreatedAt time.Time
}

// TableName is audit_log: a log is named in the singular.
func (AuditEntry) TableName() string { return "audit_log" }

// Actor is whose request it is that is being answered, as the audit log keeps it.
type Actor struct {
	AdminID   int64 // 0 for anybody else
	UserID    int64 // who is signed in
	RequestID string
	Source    string // 16 hex digits, a keyed hash of the sender's address
}

type actorKey struct{}

// WithActor lets what is done with the context be written to the audit log as the actor's, wherever that happens.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is whose request the context is of; nobody's on the command line and in the background.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// kind is what the audit log calls the actor.
func (a Actor) kind() string {
	switch {
	case a.AdminID != 0:
		return "admin"
	case a.UserID != 0:
		return "user"
	case a.RequestID != "":
		return "system" // on behalf of somebody who is not signed in
	}
	return "operator"
}

// AuditEvent is an action to record in the audit log.
type AuditEvent struct {
	ActorID   int64 // the admin; 0 for whoever the context says, without one for an operator on the command line
	Action    Action
	UserID    int64          // on whose behalf; 0 for nobody's
	Detail    map[string]any // never a secret, never an address
	RequestID string         // the context's when empty
}

// AppendAudit writes one line of the audit log, in the transaction that does what the line says. Who did it and from
// where is taken from the transaction's context, so that no caller can forget it; see WithActor. What users do for
// themselves names them as the user alone: an actor's account is never removed.
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
