package admin_test

import (
	"context"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

// Resumes that Resume Matcher has not deleted are shown until an admin closes the matter, once.
func TestResumesOfDeletedAccounts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t)
	id := dbtest.User(t, f.DB, "bea@example.com").ID
	f.must(f.DB.Exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now() WHERE id = ?`, id).Error)
	f.must(f.DB.Exec(`INSERT INTO gate_users (user_id, tenant_id, deletion_due_at, deletion_cause)
		VALUES (?, repeat('a', 26), now(), ?)`, id, models.CauseResumesDue).Error)
	if got := f.waiting(); len(got) != 0 {
		t.Errorf("open reviews before the first attempt = %q, want none", got)
	}
	f.must(f.DB.Exec(`UPDATE gate_users SET deletion_attempts = 3, deletion_cause = ?,
		deletion_due_at = now() + interval '8 minutes'`, models.CauseResumesKept.Of("500")).Error)
	if got := f.waiting(); len(got) != 1 || got[0] != "resumes: resumes_kept 500" {
		t.Errorf("open reviews = %q, want the resumes and why", got)
	}
	f.must(f.RetryResumes(ctx, id))
	var due bool
	f.must(f.DB.Raw(`SELECT deletion_due_at <= now() FROM gate_users`).Scan(&due).Error)
	if !due || f.audited("resumes.retry") != 1 {
		t.Errorf("due at once: %t, %d audit entries; want true and 1", due, f.audited("resumes.retry"))
	}
	decision := f.decision(models.DecisionClose)
	decision.Note = " "
	if err := f.CloseResumes(ctx, id, decision); !fault.Is(err, fault.Invalid) {
		t.Errorf("without a reason: error = %v, want invalid", err)
	}
	dbtest.Concurrently(20, func(int) {
		err := f.CloseResumes(ctx, id, f.decision(models.DecisionClose))
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("close: %v", err)
		}
	})
	if n := f.audited("resumes.close"); n != 1 || len(f.waiting()) != 0 {
		t.Errorf("%d audit entries and open reviews %q, want 1 and none", n, f.waiting())
	}
	if err := f.RetryResumes(ctx, id); !fault.Is(err, fault.NotFound) {
		t.Errorf("retry of closed resumes: error = %v, want not found", err)
	}
}

// An account that is not deleted keeps its tenant id.
func TestResumesOfLiveAccountsAreNotClosed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t)
	f.must(f.DB.Exec(`INSERT INTO gate_users (user_id, tenant_id) VALUES (?, repeat('a', 26))`, f.user.ID).Error)
	if err := f.CloseResumes(ctx, f.user.ID, f.decision(models.DecisionClose)); !fault.Is(err, fault.NotFound) {
		t.Errorf("close: error = %v, want not found", err)
	}
	if err := f.RetryResumes(ctx, f.user.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("retry: error = %v, want not found", err)
	}
	if got := f.waiting(); len(got) != 0 {
		t.Errorf("open reviews = %q, want none", got)
	}
}
