package locales

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// named are the types whose constants have texts, with the key of each text for a constant %.
var named = []struct {
	folder, typeName string
	keys             []string
	except           []string
}{
	{"services/fault", "Code", []string{"errors.%", "errors.title.%"}, nil},
	{"services/fault", "Problem", []string{"errors.problem.%"}, nil},
	{"services/purchase", "Wait", []string{"purchase_wait.%"}, nil},
	{"services/legal", "Kind", []string{"legal.title.%"}, nil},
	{"models", "Missing", []string{"withdrawal.missing.%"}, nil},
	{"models", "PurchaseStatus", []string{"purchase.status.%", "admin_purchase.story.%", "purchase_detail.story.%",
		"purchase_detail.none.text.%"}, nil},
	{"models", "Standing", []string{"purchase.status.%"}, nil},
	{"models", "StripeEventStatus", []string{"event.status.%"}, nil},
	{"models", "StripeEventStatus", []string{"event.wait.%", "event.next.%"}, []string{"done", "ignored"}},
	{"models", "WebhookType", []string{"admin_webhooks.type.%"}, nil},
	{"models", "DeliveryStatus", []string{"admin_webhooks.delivery.%"}, nil},
	{"models", "DeliveryFailure", []string{"admin_webhooks.failure.%"}, nil},
	{"models", "FindingKind", []string{"reconciliation.finding.%"}, nil},
	{"models", "ReconcileStep", []string{"reconciliation.step.%"}, nil},
	{"models", "Cause", []string{"cause.%"}, nil},
	{"models", "DecisionKind", []string{"decision_kind.%.label", "decision_kind.%.text"}, nil},
	{"models", "WaitingKind", []string{"waiting.kind.%"}, nil},
	{"models", "OpenKind", []string{"open_item.%"}, []string{"bank"}},
	{"models", "OpenKind", []string{"open_item.%_due"}, []string{"review", "refund_send", "refund"}},
	{"models", "HitKind", []string{"search.kind.%"}, nil},
	{"models", "HoldStatus", []string{"history.holds.%"}, []string{"captured"}}, // its entry is shown instead
	{"models", "LetterKind", []string{"letter_kind.%"}, nil},
	{"models", "RefundRequestStatus", []string{"refund_request.status.%"}, nil},
	{"models", "Reason", []string{"entry.reason.%"}, texts(features)},
	{"models", "Reason", []string{"feature.%", "feature_text.%"}, texts(fixed)},
}

var features, fixed = split(models.Reasons(), models.KnownFeature)

// Each constant of the product's types has a text, and so has each member of the lists of other texts.
func TestEveryNameHasAText(t *testing.T) {
	t.Parallel()
	var keys []string
	add := func(members []string, patterns ...string) {
		for _, member := range members {
			for _, pattern := range patterns {
				keys = append(keys, strings.ReplaceAll(pattern, "%", strings.ReplaceAll(member, ".", "_")))
			}
		}
	}
	for _, n := range named {
		members := constants(t, n.folder, n.typeName)
		add(slices.DeleteFunc(members, func(m string) bool { return slices.Contains(n.except, m) }), n.keys...)
	}
	add(models.KeyScopes(), "admin_keys.scope.%")
	add(models.PaymentMethods(), "payment_method.%")
	add(models.RefundStatuses(), "stripe_refund.status.%", "purchase_detail.refund.%")
	add(models.DisputeStatuses(), "stripe_dispute.status.%", "purchase_detail.dispute.%")
	for _, action := range models.Actions() {
		keys = append(keys, models.ActionKey(action))
	}
	for _, code := range codes {
		all := flat(t, code)
		for _, key := range keys {
			if all[key] == "" {
				t.Errorf("%s has no text for %s", code, key)
			}
		}
	}
	if diff := cmp.Diff([]string{"%{available}", "%{missing}", "%{required}"},
		placeholders(flat(t, "de")["errors.insufficient_credits"])); diff != "" {
		t.Errorf("placeholders of errors.insufficient_credits (-want +got):\n%s", diff)
	}
}

// Each list that the product ranges over has all constants of its type.
func TestListsAreComplete(t *testing.T) {
	t.Parallel()
	for typeName, listed := range map[string][]string{
		"services/fault.Code":        texts(fault.Codes()),
		"models.Cause":               texts(models.Causes()),
		"models.DecisionKind":        texts(models.DecisionKinds()),
		"models.DeliveryStatus":      texts(models.DeliveryStatuses()),
		"models.FindingKind":         texts(models.FindingKinds()),
		"models.HitKind":             texts(models.HitKinds()),
		"models.HoldStatus":          texts(models.HoldStatuses()),
		"models.LetterKind":          texts(models.LetterKinds()),
		"models.LetterStatus":        texts(models.LetterStatuses()),
		"models.Missing":             texts(models.AllMissing()),
		"models.PurchaseStatus":      texts(models.PurchaseStatuses()),
		"models.Reason":              texts(models.Reasons()),
		"models.RefundRequestStatus": texts(models.RefundRequestStatuses()),
		"models.StripeEventStatus":   texts(models.StripeEventStatuses()),
		"models.WebhookType":         texts(append(models.WebhookTypes(), models.WebhookTest)),
	} {
		folder, name, _ := strings.Cut(typeName, ".")
		slices.Sort(listed)
		if diff := cmp.Diff(constants(t, folder, name), listed); diff != "" {
			t.Errorf("%s (-declared +listed):\n%s", typeName, diff)
		}
	}
}

// constants returns the values of a type's constants, from the sources of its package, in ascending order.
func constants(t *testing.T, folder, typeName string) (values []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == typeName && len(spec.Values) == 1 {
				if value, ok := spec.Values[0].(*ast.BasicLit); ok {
					text, err := strconv.Unquote(value.Value)
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, text)
				}
			}
			return true
		})
	}
	if slices.Sort(values); len(values) < 2 || len(slices.Compact(slices.Clone(values))) != len(values) {
		t.Fatalf("constants of %s.%s = %q, want two or more, each once", folder, typeName, values)
	}
	return values
}

func texts[T ~string](all []T) []string {
	list := make([]string, len(all))
	for i, one := range all {
		list[i] = string(one)
	}
	return list
}

// split returns those of a list that are chosen, and the others.
func split[T any](all []T, chosen func(T) bool) (these, others []T) {
	for _, one := range all {
		if chosen(one) {
			these = append(these, one)
		} else {
			others = append(others, one)
		}
	}
	return these, others
}
