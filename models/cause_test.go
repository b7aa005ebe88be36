package models_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// The locale test checks that each listed code has a text, so the lists must be complete.
func TestListsOfCodesAreComplete(t *testing.T) {
	t.Parallel()
	wantListed(t, "cause.go", models.Causes())
	wantListed(t, "failure.go", models.Failures())
}

// wantListed checks that the list has as many codes as the file declares constants.
func wantListed[T comparable](t *testing.T, name string, all []T) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
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
	listed := map[T]bool{}
	for _, code := range all {
		listed[code] = true
	}
	if declared == 0 || len(listed) != declared {
		t.Errorf("%s declares %d codes, the list has %d", name, declared, len(listed))
	}
}

// A cause whose events wait for a person must say what the person can do.
func TestEveryCauseHasADecision(t *testing.T) {
	t.Parallel()
	ignored := map[models.Cause]bool{models.CauseSessionMode: true, models.CauseSessionUnpaid: true,
		models.CauseSessionForeign:  true,
		models.CauseRefundOfNothing: true, models.CauseCustomerForeign: true, models.CausePriceForeign: true,
		models.CauseDecidedForeign: true, models.CauseAccount: true, models.CausePaymentForeign: true}
	for _, c := range models.Causes() {
		if !c.Known() {
			t.Errorf("%q is not in the table of decisions", c)
		}
		if kinds := c.Decisions(); len(kinds) == 0 && !ignored[c] {
			t.Errorf("%q has no decision", c)
		}
	}
	if kinds := models.Cause("deadlock detected").Decisions(); len(kinds) == 0 {
		t.Error("an unknown cause has no decision")
	}
	if kinds := models.CauseRefundStatus.Of("odd").Decisions(); len(kinds) == 0 {
		t.Error("a cause with an argument has no decision")
	}
}
