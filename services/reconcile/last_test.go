package reconcile_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// Last also returns a run without a lease, which has just begun or has stopped.
func TestLastReturnsAStoppedRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	if r, err := f.Last(ctx, 0, 1000); r != nil || err != nil {
		t.Errorf("last before the first run = %v, %v; want nil", r, err)
	}
	if err := f.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Last(ctx, 0, 1000); err != nil || r == nil || r.LastError != "" || r.FinishedAt != nil {
		t.Errorf("last of a new run = %+v, %v; want it without error and end", r, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := f.DB.Exec(`UPDATE reconciliations SET last_error = 'no_answer'`).Error; err != nil {
		t.Fatal(err)
	}
	if _, err := f.Once(stopped); err == nil {
		t.Fatal("reconcile with a canceled context returned no error, want one")
	}
	r, err := f.Last(ctx, 0, 1000)
	if err != nil || r == nil || r.LastError != models.CauseNoAnswer || r.FinishedAt != nil {
		t.Errorf("last of a stopped run = %+v, %v; want it with an error and no end", r, err)
	}
}

// The pages contain every finding, however many a run has.
func TestLastPagesFindings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.DB.Exec(`WITH run AS (INSERT INTO reconciliations (since, finished_at) VALUES (now(), now()) RETURNING id)
		INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, note) SELECT id, 'review', 'ob_' || n, 'x' FROM run, generate_series(1, 1100) n`).Error; err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for after := int64(0); ; {
		r, err := f.Last(t.Context(), after, 50)
		if err != nil || r.Found != 1100 || len(r.Findings) > 50 {
			t.Fatalf("page has %d of %d findings (%v), want at most 50 of 1100", len(r.Findings), r.Found, err)
		}
		for _, finding := range r.Findings {
			found[finding.ObjectID] = true
		}
		if after = r.Next; after == 0 {
			break
		}
	}
	if len(found) != 1100 || !found[fmt.Sprintf("ob_%d", 1100)] {
		t.Errorf("pages have %d findings, want 1100", len(found))
	}
}
