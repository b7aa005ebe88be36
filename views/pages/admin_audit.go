package pages

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/locales"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// auditFact is one recorded fact; href links to what it names.
type auditFact struct{ name, value, href string }

// auditAction returns the text of an action; the action itself without one.
func auditAction(ctx context.Context, action string) string {
	if key := models.ActionKey(action); locales.Has(ctx, key) {
		return locales.T(ctx, key)
	}
	return action
}

// auditBy returns the text of an actor's kind.
func auditBy(ctx context.Context, actor string) string {
	if key := "admin_audit.by." + actor; locales.Has(ctx, key) {
		return locales.T(ctx, key)
	}
	return actor
}

// auditFacts lists an entry's details by name, in words, and its ids. Numbers keep their digits; money is formatted
// with its currency.
func auditFacts(ctx context.Context, locale string, e models.AuditEntry) (facts, ids []auditFact) {
	var detail map[string]json.RawMessage
	if json.Unmarshal(e.Detail, &detail) != nil {
		detail = nil // nothing was recorded
	}
	var cents models.Cents
	var currency string
	if json.Unmarshal(detail["cents"], &cents) == nil && json.Unmarshal(detail["currency"], &currency) == nil {
		facts = append(facts, auditFact{name: auditName(ctx, "amount"), value: components.Money(ctx, cents, currency)})
		delete(detail, "cents")
		delete(detail, "currency")
	}
	for _, name := range slices.Sorted(maps.Keys(detail)) {
		plain, text := auditValue(ctx, detail[name])
		if plain == "" && text == "" {
			continue // left empty
		}
		fact := auditFact{name: auditName(ctx, name), value: text}
		id, err := uuid.Parse(plain)
		switch {
		case err == nil && name == "purchase_id":
			fact.href = adminPurchasePath(locale, id)
			if e.PurchaseNumber != 0 {
				fact.value = e.PurchaseNumber.String()
			}
		case err == nil || strings.HasSuffix(name, "_id"):
			ids = append(ids, fact)
			continue
		case name == "feature":
			fact.value = components.FeatureName(ctx, plain, "")
		case name == "cause":
			fact.value = components.CauseText(ctx, models.Cause(plain))
		}
		facts = append(facts, fact)
	}
	if e.RequestID != "" {
		ids = append(ids, auditFact{name: locales.T(ctx, "admin_audit.request"), value: e.RequestID})
	}
	if e.Source != "" {
		ids = append(ids, auditFact{name: locales.T(ctx, "admin_audit.source"), value: e.Source})
	}
	return facts, ids
}

// auditValue returns a value as recorded, if it is a string, and in words.
func auditValue(ctx context.Context, raw json.RawMessage) (plain, words string) {
	var yes bool
	var several []string
	switch {
	case json.Unmarshal(raw, &plain) == nil:
		return plain, plain
	case json.Unmarshal(raw, &yes) == nil:
		return "", locales.T(ctx, map[bool]string{true: "admin_audit.yes", false: "admin_audit.no"}[yes])
	case json.Unmarshal(raw, &several) == nil:
		for i, word := range several {
			for _, key := range []string{"admin_keys.scope." + word, models.WebhookType(word).Key()} {
				if locales.Has(ctx, key) {
					several[i] = locales.T(ctx, key)
				}
			}
		}
		return "", strings.Join(several, ", ")
	}
	return "", string(raw)
}

func auditName(ctx context.Context, name string) string {
	if key := "admin_audit.facts." + name; locales.Has(ctx, key) {
		return locales.T(ctx, key)
	}
	return strings.ReplaceAll(name, "_", " ")
}
