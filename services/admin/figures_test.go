package admin_test

import (
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
)

func TestNewInstallationsHaveFigures(t *testing.T) {
	t.Parallel()
	figures, err := (&admin.Service{DB: dbtest.New(t)}).Figures(t.Context())
	if err != nil || figures.Reconciled != nil {
		t.Fatalf("last reconciliation %v, error %v; want neither", figures.Reconciled, err)
	}
}
