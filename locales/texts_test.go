package locales

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// flat returns a language's texts by full key.
func flat(t *testing.T, code string) map[string]string {
	t.Helper()
	texts, err := read(files, code)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func(prefix string, branch map[string]any)
	walk = func(prefix string, branch map[string]any) {
		for key, value := range branch {
			if text, ok := value.(string); ok {
				all[prefix+key] = text
			} else {
				walk(prefix+key+".", value.(map[string]any))
			}
		}
	}
	walk("", texts)
	return all
}

var placeholder = regexp.MustCompile(`%\{[^}]*\}`)

func placeholders(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestLanguagesSayTheSame(t *testing.T) {
	t.Parallel()
	en := flat(t, "en")
	for _, code := range codes[1:] {
		other := flat(t, code)
		for key := range other {
			if _, ok := en[key]; !ok {
				t.Errorf("%s has %s, en has not", code, key)
			}
		}
		for key, text := range en {
			translated, ok := other[key]
			if !ok {
				t.Errorf("%s lacks %s", code, key)
				continue
			}
			if diff := cmp.Diff(placeholders(text), placeholders(translated)); diff != "" && !lastPart(key, "zero", "one") {
				t.Errorf("%s: %s has other placeholders (-en +%s):\n%s", key, code, code, diff)
			}
		}
	}
}

func TestTextsAreWhole(t *testing.T) {
	t.Parallel()
	for _, code := range codes {
		texts := flat(t, code)
		for key, text := range texts {
			if strings.TrimSpace(text) != text || strings.Contains(text, "\n") || strings.Contains(text, "!(") ||
				strings.Contains(text, "&") {
				t.Errorf("%s: %s has stray spaces, lines or escapes: %q", code, key, text)
			}
			if base, ok := strings.CutSuffix(key, ".other"); ok && (texts[base+".zero"] == "" || texts[base+".one"] == "") {
				t.Errorf("%s: %s lacks a plural form", code, base)
			}
		}
	}
}

func lastPart(key string, parts ...string) bool {
	return slices.Contains(parts, key[strings.LastIndex(key, ".")+1:])
}

// TestEveryNameHasAText wants a text for each member of the product's lists.
func TestEveryNameHasAText(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, code := range fault.Codes() {
		keys = append(keys, "errors."+string(code), "errors.title."+string(code))
	}
	for _, problem := range fault.Problems() {
		keys = append(keys, "errors.problem."+string(problem))
	}
	for _, reason := range models.FixedReasons() {
		keys = append(keys, "entry.reason."+string(reason))
	}
	for _, m := range models.AllMissing() {
		keys = append(keys, "withdrawal.missing."+string(m))
	}
	for _, status := range models.PurchaseStatuses() {
		keys = append(keys, "purchase.status."+string(status), "admin_purchase.story."+string(status),
			"purchase_detail.story."+string(status), "purchase_detail.none.text."+string(status))
	}
	for _, status := range []models.StripeEventStatus{models.EventReceived, models.EventDone, models.EventIgnored,
		models.EventDeferred,
		models.EventFailed, models.EventReview} {
		keys = append(keys, "event.status."+string(status))
	}
	for _, status := range []models.StripeEventStatus{models.EventReceived, models.EventDeferred, models.EventFailed,
		models.EventReview} {
		keys = append(keys, "event.wait."+string(status))
	}
	for _, feature := range models.Features() {
		keys = append(keys, "feature."+string(feature), "landing.features."+string(feature))
	}
	for _, scope := range models.KeyScopes() {
		keys = append(keys, "admin_keys.scope."+scope)
	}
	for _, t := range append(models.WebhookTypes(), models.WebhookTest) {
		keys = append(keys, t.Key())
	}
	for _, status := range models.DeliveryStatuses() {
		keys = append(keys, status.Key())
	}
	for _, failure := range models.DeliveryFailures() {
		keys = append(keys, failure.Key())
	}
	for _, wait := range purchase.AllWaits() {
		keys = append(keys, "purchase_wait."+string(wait))
	}
	for _, kind := range models.FindingKinds() {
		keys = append(keys, "reconciliation.finding."+string(kind))
	}
	for _, step := range models.ReconcileSteps() {
		keys = append(keys, "reconciliation.step."+string(step))
	}
	for _, cause := range models.Causes() {
		keys = append(keys, cause.Key())
	}
	for _, kind := range models.DecisionKinds() {
		keys = append(keys, "decision_kind."+string(kind)+".label", "decision_kind."+string(kind)+".text")
	}
	for _, kind := range models.WaitingKinds() {
		keys = append(keys, "waiting.kind."+string(kind))
	}
	for _, kind := range models.LetterKinds() {
		keys = append(keys, kind.NameKey())
	}
	for _, status := range models.RefundRequestStatuses() {
		keys = append(keys, "refund_request.status."+string(status))
	}
	for _, status := range models.RefundStatuses() {
		keys = append(keys, "stripe_refund.status."+status, "purchase_detail.refund."+status)
	}
	for _, status := range models.DisputeStatuses() {
		keys = append(keys, "stripe_dispute.status."+status, "purchase_detail.dispute."+status)
	}
	for _, action := range models.Actions() {
		keys = append(keys, models.ActionKey(action))
	}
	for _, code := range codes {
		texts := flat(t, code)
		for _, key := range keys {
			if texts[key] == "" {
				t.Errorf("%s has no text for %s", code, key)
			}
		}
	}
	if diff := cmp.Diff([]string{"%{available}", "%{missing}", "%{required}"},
		placeholders(flat(t, "de")["errors.insufficient_credits"])); diff != "" {
		t.Errorf("placeholders of errors.insufficient_credits (-want +got):\n%s", diff)
	}
}

var (
	singularKey = regexp.MustCompile(`\bT\((?:ctx|c\.UserContext\(\)), "([a-z0-9_.]+[a-z0-9_])"[,)]`)
	pluralKey   = regexp.MustCompile(`\bN\((?:ctx|c\.UserContext\(\)), "([a-z0-9_.]+[a-z0-9_])",`)
)

// TestEveryUsedKeyExists reads the sources of the views and handlers.
func TestEveryUsedKeyExists(t *testing.T) {
	t.Parallel()
	texts, used := flat(t, "en"), 0
	for _, folder := range []string{"../views", "../handlers"} {
		err := filepath.WalkDir(folder, func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(name, "_templ.go") ||
				(!strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".templ")) {
				return err
			}
			source, err := os.ReadFile(name) //nolint:gosec // our own templates
			if err != nil {
				return err
			}
			for _, match := range singularKey.FindAllStringSubmatch(string(source), -1) {
				used++
				if texts[match[1]] == "" {
					t.Errorf("%s uses %q, which has no text", name, match[1])
				}
			}
			for _, match := range pluralKey.FindAllStringSubmatch(string(source), -1) {
				used++
				if texts[match[1]+".other"] == "" {
					t.Errorf("%s counts with %q, which has no plural forms", name, match[1])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if used < 100 {
		t.Errorf("found %d uses of texts only: the search is broken", used)
	}
}
