package pages

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/models"
)

type auditFact struct{ name, value string }

// auditFacts takes an audit entry's detail apart, in the order of the names. Numbers keep their digits.
func auditFacts(e models.AuditEntry) []auditFact {
	var detail map[string]json.RawMessage
	if err := json.Unmarshal(e.Detail, &detail); err != nil || len(detail) == 0 {
		return nil // nothing was recorded
	}
	facts := make([]auditFact, 0, len(detail))
	for _, name := range slices.Sorted(maps.Keys(detail)) {
		text := string(detail[name])
		var plain string
		if json.Unmarshal(detail[name], &plain) == nil {
			text = plain
		}
		facts = append(facts, auditFact{strings.ReplaceAll(name, "_", " "), text})
	}
	return facts
}
