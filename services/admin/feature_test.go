package admin_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

func TestSetFeature(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	boss := dbtest.User(t, db, "admin@example.com")
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	letter := admin.FeatureChange{
		ActorID: boss.ID, Feature: "cover_letter", New: true, Credits: 3, Active: true,
		LabelEN: " Cover letter ", LabelDE: "Anschreiben", RequestID: "req_1",
	}
	audits := func() int {
		entries, _, err := s.Audit(ctx, admin.AuditQuery{Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}

	t.Run("adds a feature once for twenty concurrent posts", func(t *testing.T) {
		var added atomic.Int64
		dbtest.Concurrently(20, func(int) {
			if err := s.SetFeature(ctx, letter); err == nil {
				added.Add(1)
			} else if f := fault.Of(err); f == nil || f.Problem != fault.FeatureExists {
				t.Errorf("add: %v", err)
			}
		})
		var row models.FeaturePrice
		if err := db.Take(&row, "feature = 'cover_letter'").Error; err != nil || row.Credits != 3 ||
			row.LabelEN != "Cover letter" || row.LabelDE != "Anschreiben" || !row.Active {
			t.Errorf("stored feature = %+v, %v; want 3 credits, active, with both labels", row, err)
		}
		if added.Load() != 1 || audits() != 1 {
			t.Errorf("added %d times with %d audit entries, want 1 and 1", added.Load(), audits())
		}
	})
	t.Run("changes a feature and audits the old values", func(t *testing.T) {
		letter.New, letter.Credits, letter.Active = false, 4, false
		for range 2 { // the second call changes nothing and writes no audit entry
			if err := s.SetFeature(ctx, letter); err != nil {
				t.Fatal(err)
			}
		}
		entries, _, err := s.Audit(ctx, admin.AuditQuery{Limit: 1})
		if err != nil || audits() != 2 || entries[0].Action != "feature.change" || *entries[0].ActorID != boss.ID {
			t.Fatalf("audit = %+v, %v; want one change by the admin", entries, err)
		}
		for _, fact := range []string{`"credits": 4`, `"credits_before": 3`, `"active": false`, `"active_before": true`} {
			if !strings.Contains(string(entries[0].Detail), fact) {
				t.Errorf("detail = %s, want %s", entries[0].Detail, fact)
			}
		}
	})
	t.Run("refuses bad values", func(t *testing.T) {
		for name, c := range map[string]struct {
			change  func(*admin.FeatureChange)
			problem fault.Problem
		}{
			"a fixed reason":    {func(f *admin.FeatureChange) { f.Feature = "refund" }, fault.FeatureName},
			"capital letters":   {func(f *admin.FeatureChange) { f.Feature = "Letter" }, fault.FeatureName},
			"an empty name":     {func(f *admin.FeatureChange) { f.Feature = "" }, fault.FeatureName},
			"51 letters":        {func(f *admin.FeatureChange) { f.Feature = strings.Repeat("a", 51) }, fault.FeatureName},
			"0 credits":         {func(f *admin.FeatureChange) { f.Credits = 0 }, fault.FeatureCredits},
			"1,000,001 credits": {func(f *admin.FeatureChange) { f.Credits = 1_000_001 }, fault.FeatureCredits},
			"no German label":   {func(f *admin.FeatureChange) { f.LabelDE = " " }, fault.FeatureLabel},
			"a label too long":  {func(f *admin.FeatureChange) { f.LabelEN = strings.Repeat("x", 81) }, fault.FeatureLabel},
			"a label with NUL":  {func(f *admin.FeatureChange) { f.LabelEN = "a\x00" }, fault.FeatureLabel},
			"an existing name":  {func(f *admin.FeatureChange) { f.Feature = "job_match" }, fault.FeatureExists},
		} {
			f := admin.FeatureChange{
				ActorID: boss.ID, Feature: "other", New: true, Credits: 1, LabelEN: "Other", LabelDE: "Andere",
			}
			c.change(&f)
			if err := s.SetFeature(ctx, f); fault.Of(err) == nil || fault.Of(err).Problem != c.problem {
				t.Errorf("%s: error = %v, want %s", name, err, c.problem)
			}
		}
		err := s.SetFeature(ctx, admin.FeatureChange{Feature: "unknown", Credits: 1, LabelEN: "x", LabelDE: "x"})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("changing an unknown feature: error = %v, want not found", err)
		}
		if audits() != 2 {
			t.Errorf("%d audit entries, want 2", audits())
		}
	})
	t.Run("needs no labels for built-in features", func(t *testing.T) {
		if err := s.SetFeature(ctx, admin.FeatureChange{Feature: "job_match", Credits: 6, Active: true}); err != nil {
			t.Error(err)
		}
	})
}
