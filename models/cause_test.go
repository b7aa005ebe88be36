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
