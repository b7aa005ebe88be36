package components_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// Consecutive equal payments for a feature are one row with their sum; everything else keeps a row of its own.
func TestEqualEntriesAreOneRow(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	newest := time.Date(2026, time.November, 3, 12, 0, 0, 0, time.UTC)
	var entries []models.CreditTransaction
	add := func(reason models.Reason, delta, balance models.Credits, meta models.Meta) {
		entries = append(entries, models.CreditTransaction{Reason: reason, DeltaCredits: delta, BalanceAfter: balance,
			Meta: meta, CreatedAt: newest.Add(-time.Duration(len(entries)) * time.Hour)})
	}
	add(models.ReasonJobMatch, -5, 975, models.Meta{})
	add(models.ReasonJobMatch, -5, 980, models.Meta{})
	add(models.ReasonJobMatch, -5, 985, models.Meta{})
	add(models.ReasonJobMatch, -6, 990, models.Meta{})             // another price
	add(models.ReasonJobMatch, -6, 996, models.Meta{Note: "note"}) // says more
	add(models.ReasonPurchase, 500, 1002, models.Meta{})
	add(models.ReasonPurchase, 500, 502, models.Meta{})
	ctx, _ := texts.Context(context.Background(), "en")
	var page bytes.Buffer
	if err := components.EntryTable("caption", entries, "").Render(ctx, &page); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&page)
	if err != nil {
		t.Fatal(err)
	}
	rows := doc.Find("tbody tr")
	if rows.Length() != 5 {
		t.Fatalf("%d rows, want 5: %s", rows.Length(), doc.Text())
	}
	cells := rows.First().Find("td")
	if what := cells.Eq(1).Text(); !strings.Contains(what, "3 times −5 since 3 Nov 2026, 10:00") {
		t.Errorf("first row says %q, want 3 times −5 since the oldest", what)
	}
	if credits, balance := cells.Eq(2).Text(), cells.Eq(3).Text(); !strings.HasPrefix(credits, "−15") || balance != "975" {
		t.Errorf("credits and balance = %q, %q, want −15 and 975", credits, balance)
	}
}

// An entry that adds credits does not say that they were deducted.
func TestEntryReasonFollowsTheSign(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		reason models.Reason
		delta  models.Credits
		en, de string
	}{
		{models.ReasonDispute, -100, "Deducted after a payment dispute", "Nach Rückbuchung durch die Bank zurückgenommen"},
		{models.ReasonDispute, 100, "Added back after a payment dispute",
			"Nach Rückbuchung durch die Bank wieder gutgeschrieben"},
		{models.ReasonRefund, -100, "Deducted after a refund", "Nach Erstattung zurückgenommen"},
		{models.ReasonRefund, 100, "Added back after a failed refund", "Nach gescheiterter Erstattung wieder gutgeschrieben"},
		{models.ReasonPurchase, 100, "Credits bought", "Credits gekauft"},
	} {
		for locale, want := range map[string]string{"en": c.en, "de": c.de} {
			ctx, _ := texts.Context(t.Context(), locale)
			entry := models.CreditTransaction{Reason: c.reason, DeltaCredits: c.delta}
			if got := components.EntryReason(ctx, entry); got != want {
				t.Errorf("%s %d in %s: %q, want %q", c.reason, c.delta, locale, got, want)
			}
		}
	}
}
