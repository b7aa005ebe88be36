package ledger

import "github.com/resume-matcher/credits/models"

// Certain runs only the statements of Apply, and reports which operations took effect.
func Certain(tx models.Tx, ops ...Op) ([]bool, error) {
	var locked []string
	err := execute(tx, ops, lockUsers("", ops, &locked))
	done := make([]bool, len(ops))
	for i, op := range ops {
		done[i] = op.state().done
	}
	return done, err
}
