package handlers

import (
	"os"
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
			if countedFlashes[name] {
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
