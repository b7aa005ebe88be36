package stripe

import (
	"context"
	"strings"
)

// references maps each expandable member to the kind that it refers to.
var references = map[string]map[string]string{
	kindSession: {"customer": kindCustomer, "invoice": kindInvoice, "payment_intent": kindIntent},
	kindIntent:  {"customer": kindCustomer, "latest_charge": kindCharge},
	kindPrice:   {"product": kindProduct},
}

// expand replaces references in object by the objects themselves. path is dotted:
// "payment_intent.latest_charge", or "data.payment_intent" in a list.
func (t *txn) expand(ctx context.Context, object map[string]any, path string) error {
	return t.expandSteps(ctx, object, strings.Split(path, "."), path)
}

func (t *txn) expandSteps(ctx context.Context, object map[string]any, steps []string, path string) error {
	if len(steps) == 0 {
		return nil
	}
	kind, _ := object["object"].(string)
	name, rest := steps[0], steps[1:]
	if kind == "list" && name == "data" {
		return t.expandAll(ctx, object, rest, path)
	}
	if found, err := t.expandList(ctx, object, kind, name); err != nil || found {
		if err != nil {
			return err
		}
		nested, _ := object[name].(map[string]any)
		return t.expandSteps(ctx, nested, rest, path)
	}
	target, ok := references[kind][name]
	if !ok {
		return invalid("", "expand", "This property cannot be expanded (%s).", path)
	}
	switch value := object[name].(type) {
	case string:
		wire, err := t.wire(ctx, target, value, "expand")
		if err != nil {
			return err
		}
		object[name] = wire
		return t.expandSteps(ctx, wire, rest, path)
	case map[string]any: // expanded before, for a longer or shorter path
		return t.expandSteps(ctx, value, rest, path)
	}
	return nil // null stays null
}

func (t *txn) expandAll(ctx context.Context, list map[string]any, steps []string, path string) error {
	all, _ := list["data"].([]any)
	for _, one := range all {
		if object, ok := one.(map[string]any); ok {
			if err := t.expandSteps(ctx, object, steps, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// expandList adds the lists that an object contains on request only.
func (t *txn) expandList(ctx context.Context, object map[string]any, kind, name string) (bool, error) {
	id, _ := object["id"].(string)
	if _, there := object[name].(map[string]any); there && name == "line_items" {
		return true, nil
	}
	var list map[string]any
	var err error
	switch {
	case kind == kindPrice && name == "currency_options":
		var p price
		if err = t.get(ctx, id, "expand", &p); err == nil {
			list, err = t.expandCurrencies(ctx, p)
		}
	case kind == kindSession && name == "line_items":
		list, err = t.lineItems(ctx, id, "expand")
	default:
		return false, nil
	}
	if err != nil {
		return false, err
	}
	object[name] = list
	return true, nil
}
