package stripe

import "context"

// showTaxSettings reports that Stripe Tax is active.
func showTaxSettings(context.Context, *txn, *call) (any, error) {
	return map[string]any{
		"object": "tax.settings", "livemode": false, "status": "active",
		"status_details": map[string]any{"active": map[string]any{}},
		"defaults":       map[string]any{"tax_behavior": "inclusive", "tax_code": nil},
		"head_office":    map[string]any{"address": address{Country: new("DE")}},
	}, nil
}
