package models_test

import (
	"context"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// Each action has a unique name, which the log, the audit page and its texts use.
func TestActionsAreNamed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i, name := range models.Actions() {
		if name == "" || seen[name] {
			t.Errorf("action %d is called %q, want a name that no other has", i+1, name)
		}
		seen[name] = true
	}
}

// AppendAudit reads the actor and source from the context, so that no caller can omit them.
func TestAppendAuditKnowsTheActor(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	u := dbtest.User(t, db, "ada@example.com")
	from := models.Actor{RequestID: "req_1", Source: "0123456789abcdef"}
	for _, c := range []struct {
		name  string
		actor *models.Actor
		event models.AuditEvent
		want  models.AuditEntry
	}{
		{"an operator on the command line", nil, models.AuditEvent{}, models.AuditEntry{Actor: "operator"}},
		{"an admin in a request", &models.Actor{AdminID: u.ID, UserID: u.ID, RequestID: "req_1", Source: from.Source},
			models.AuditEvent{},
			models.AuditEntry{Actor: "admin", ActorID: &u.ID, RequestID: "req_1", Source: from.Source}},
		{"an admin given by the event", nil, models.AuditEvent{ActorID: u.ID, RequestID: "req_2"},
			models.AuditEntry{Actor: "admin", ActorID: &u.ID, RequestID: "req_2"}},
		{"a user in a request", &models.Actor{UserID: u.ID, RequestID: "req_1", Source: from.Source},
			models.AuditEvent{UserID: u.ID},
			models.AuditEntry{Actor: "user", UserID: &u.ID, RequestID: "req_1", Source: from.Source}},
		{"an anonymous request", &from, models.AuditEvent{},
			models.AuditEntry{Actor: "system", RequestID: "req_1", Source: from.Source}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			if c.actor != nil {
				ctx = models.WithActor(ctx, *c.actor)
			}
			c.event.Action = models.ActionReconcileStart
			if err := models.AppendAudit(models.Tx{DB: db.WithContext(ctx)}, c.event); err != nil {
				t.Fatal(err)
			}
			var got models.AuditEntry
			if err := db.Order("id DESC").Where("action = ?", "reconcile.start").Take(&got).Error; err != nil {
				t.Fatal(err)
			}
			same := func(a, b *int64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
			if got.Actor != c.want.Actor || !same(got.ActorID, c.want.ActorID) || !same(got.UserID, c.want.UserID) ||
				got.RequestID != c.want.RequestID || got.Source != c.want.Source || string(got.Detail) != "{}" {
				t.Errorf("audit entry = %+v, want %+v", got, c.want)
			}
		})
	}
}
