package models

import (
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// AuditEntry is one line of the append-only audit log.
type AuditEntry struct {
	ID        int64
	Actor     string // admin, operator or system
	ActorID   *int64
	Action    string
	UserID    *int64
	Detail    json.RawMessage
	RequestID string
	CreatedAt time.Time
}

// TableName is audit_log: a log is named in the singular.
func (AuditEntry) TableName() string { return "audit_log" }

// Deed is something that a person did by hand and that the audit log keeps.
type Deed struct {
	ActorID   int64 // the admin; 0 for an operator on the command line
	Action    string
	UserID    int64          // on whose behalf; 0 for nobody's
	Detail    map[string]any // never a secret, never an address
	RequestID string
}

// AppendAudit writes one line of the audit log, in the transaction that does what the line says.
func AppendAudit(tx *gorm.DB, d Deed) error {
	detail, err := json.Marshal(d.Detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", d.Action, err)
	}
	actor := "admin"
	if d.ActorID == 0 {
		actor = "operator"
	}
	err = tx.Exec(`INSERT INTO audit_log (actor, actor_id, action, user_id, detail, request_id)
		VALUES (?, nullif(?::integer, 0), ?, nullif(?::integer, 0), ?::jsonb, ?)`,
		actor, d.ActorID, d.Action, d.UserID, string(detail), d.RequestID).Error
	if err != nil {
		return fmt.Errorf("audit %s: %w", d.Action, err)
	}
	return nil
}
