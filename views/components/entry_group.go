package components

import (
	"context"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
)

// entryGroup is the newest of consecutive equal entries, and how many there are.
type entryGroup struct {
	models.CreditTransaction
	count int
	since time.Time // of the oldest
}

// groupEntries groups consecutive payments for one feature at one price. Entries are ordered from the newest.
func groupEntries(entries []models.CreditTransaction) []entryGroup {
	var groups []entryGroup
	for _, e := range entries {
		if n := len(groups); n > 0 && groups[n-1].takes(e) {
			groups[n-1].count++
			groups[n-1].since = e.CreatedAt
			continue
		}
		groups = append(groups, entryGroup{e, 1, e.CreatedAt})
	}
	return groups
}

// takes reports whether an entry says the same as the group.
func (g entryGroup) takes(e models.CreditTransaction) bool {
	return !models.FixedReason(e.Reason) && e.Reason == g.Reason && e.DeltaCredits == g.DeltaCredits &&
		e.Meta.Note == "" && g.Meta.Note == "" && e.Meta.Counterpart == 0 && g.Meta.Counterpart == 0
}

// sum returns the credits of all entries.
func (g entryGroup) sum() models.Credits { return g.DeltaCredits * models.Credits(g.count) }

// text says how many entries there are, of how many credits, and since when.
func (g entryGroup) text(ctx context.Context) string {
	return locales.N(ctx, "entry.group", g.count, locales.Args{"each": SignedCredits(ctx, g.DeltaCredits),
		"since": DateTime(ctx, g.since)})
}
