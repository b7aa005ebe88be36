package handlers

import (
	"os"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// Every flash message has a text in every language, and every text has a flash message.
func TestEveryFlashHasAText(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../locales/en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var texts struct{ Flash map[string]any }
	if err := yaml.Unmarshal(source, &texts); err != nil {
		t.Fatal(err)
	}
	for name := range texts.Flash {
		if _, known := flashes[name]; !known {
			t.Errorf("flash.%s is a text that no page shows", name)
		}
	}
	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range catalog.Codes() {
		ctx, _ := catalog.Context(t.Context(), code)
		for name := range flashes {
			keys := []string{"flash." + name}
			if slices.Contains(flashNumbers[name], flashCount) {
				keys = []string{"flash." + name + ".zero", "flash." + name + ".one", "flash." + name + ".other"}
			}
			for _, key := range keys {
				if !locales.Has(ctx, key) {
					t.Errorf("%s has no text for %s", code, key)
				}
			}
		}
	}
}

// Message names composed by a handler are in flashes; otherwise the next page would show nothing.
func TestComposedFlashesAreKnown(t *testing.T) {
	t.Parallel()
	var names []string
	for _, kind := range models.DecisionKinds() {
		if kind != models.DecisionRefund { // its form has other messages
			names = append(names, "decided_"+string(kind))
		}
	}
	for _, action := range pages.AccessActions {
		names = append(names, "access_"+string(action))
	}
	for _, status := range models.RefundStatuses() {
		names = append(names, "refund_"+status)
	}
	for _, problem := range []fault.Problem{fault.LastIdentity, fault.IdentityTaken, fault.IdentityOther,
		fault.IdentityLimit, fault.AddressTaken, fault.AddressOther, fault.NotPresent, fault.SignInFailed,
		fault.SignInExpired} {
		names = append(names, string(problem))
	}
	for _, outcome := range []purchase.RefreshOutcome{purchase.RefreshBooked, purchase.RefreshUnpaid,
		purchase.RefreshReview, purchase.RefreshAway} {
		names = append(names, "check_"+string(outcome))
	}
	for _, name := range names {
		if _, known := flashes[name]; !known {
			t.Errorf("the message %q is not in flashes", name)
		}
	}
}

// A message shows the numbers that were stored with it, and a tampered cookie shows nothing.
func TestStoredFlash(t *testing.T) {
	t.Parallel()
	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := catalog.Context(t.Context(), "de")
	for stored, want := range map[string]string{
		numberedFlash("signed_out"):          "Sie sind abgemeldet.",
		numberedFlash("signed_out", 7):       "Sie sind abgemeldet.",
		numberedFlash("granted", 50, 1500):   "50\u00a0Credits gutgeschrieben. Neues Guthaben: 1.500\u00a0Credits.",
		numberedFlash("corrected", 1, 0):     "1\u00a0Credit abgezogen. Neues Guthaben: 0\u00a0Credits.",
		numberedFlash("refund_succeeded", 0): "Erstattet. Für Erstattungen dieses Kaufs zurückgenommen: 0\u00a0Credits.",
		numberedFlash("check_booked", 1):     "Stripe hat geantwortet. 1 fehlende Buchung wurde nachgetragen.",
		"granted":                            "",
		"granted.50":                         "",
		"granted.50.x":                       "",
		"granted.50.1500.1":                  "",
		"granted.50.99999999999":             "",
		"signed_out.1":                       "",
		"unknown":                            "",
		"check_booked.<b>":                   "",
	} {
		got := ""
		if flash := parseFlash(ctx, stored); flash != nil {
			got = flash.Text
		}
		if got != want {
			t.Errorf("%q: text %q, want %q", stored, got, want)
		}
	}
}
