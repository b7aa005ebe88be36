package models_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// The test that wants words for each cause reads the list, so that the list must not forget one.
func TestCausesListsEveryCause(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "cause.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			declared += len(d.Specs)
		}
		return true
	})
	listed := map[models.Cause]bool{}
	for _, c := range models.Causes() {
		listed[c] = true
	}
	if declared == 0 || len(listed) != declared {
		t.Errorf("%d causes are declared, %d are listed", declared, len(listed))
	}
}

// A cause whose events wait for a person must say what the person can do.
func TestEveryCauseHasAWayOut(t *testing.T) {
	t.Parallel()
	ignored := map[models.Cause]bool{models.CauseSessionMode: true, models.CauseSessionUnpaid: true,
		models.CauseSessionForeign:  true,
		models.CauseRefundOfNothing: true, models.CauseCustomerForeign: true, models.CausePriceForeign: true,
		models.CauseDecidedForeign: true, models.CauseAccount: true, models.CausePaymentForeign: true}
	for _, c := range models.Causes() {
		if !c.Known() {
			t.Errorf("%q is not in the table of ways out", c)
		}
		if ways := c.WaysOut(); len(ways) == 0 && !ignored[c] {
			t.Errorf("%q has no way out", c)
		}
	}
	if ways := models.Cause("deadlock detected").WaysOut(); len(ways) == 0 {
		t.Error("what is no cause of ours has no way out")
	}
	if ways := models.CauseRefundStatus.Of("odd").WaysOut(); len(ways) == 0 {
		t.Error("a cause with a word has no way out")
	}
}
