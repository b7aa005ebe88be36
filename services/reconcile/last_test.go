package reconcile_test

import (
	"context"
	"fmt"
	"testing"
)

// A run without a lease, because it has just begun or has stopped, can be read like any other.
func TestLastRunThatStopped(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	ctx := context.Background()
	if r, err := a.Last(ctx, 0, 1000); r != nil || err != nil {
		t.Errorf("before the first: %v, %v", r, err)
	}
	if err := a.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := a.Last(ctx, 0, 1000); err != nil || r == nil || r.LastError != "" || r.FinishedAt != nil {
		t.Errorf("just begun: %+v, %v", r, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := a.DB.Exec(`UPDATE reconciliations SET last_error = 'Stripe was away'`).Error; err != nil {
		t.Fatal(err)
	}
	if _, err := a.Once(stopped); err == nil {
		t.Fatal("a reconciliation that was stopped succeeded")
	}
	if r, err := a.Last(ctx, 0, 1000); err != nil || r == nil || r.LastError == "" || r.FinishedAt != nil {
		t.Errorf("stopped: %+v, %v", r, err)
	}
}

// However many findings a run has, the pages reach the last one.
func TestFindingsPage(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	if err := a.DB.Exec(`WITH run AS (INSERT INTO reconciliations (since, finished_at) VALUES (now(), now()) RETURNING id)
		INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, note) SELECT id, 'review', 'ob_' || n, 'x' FROM run, generate_series(1, 1100) n`).Error; err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for after := int64(0); ; {
		r, err := a.Last(t.Context(), after, 50)
		if err != nil || r.Found != 1100 || len(r.Findings) > 50 {
			t.Fatalf("%d of %d findings, %v", len(r.Findings), r.Found, err)
		}
		for _, f := range r.Findings {
			found[f.ObjectID] = true
		}
		if after = r.Next; after == 0 {
			break
		}
	}
	if len(found) != 1100 || !found[fmt.Sprintf("ob_%d", 1100)] {
		t.Errorf("%d findings are on the pages, want 1100", len(found))
	}
}
