package stripe

// sessionParams are the parameters of a new session that the product sends. The billing address is stored and returned,
// and does nothing here.
var sessionParams = metadataParams("metadata").with(
	metadataParams("payment_intent_data[metadata]"),
	metadataParams("invoice_creation[invoice_data][metadata]"),
	schema{
		"mode": oneOf("payment"), "success_url": webAddress, "cancel_url": webAddress, "client_reference_id": text(200),
		"currency": currencyCode, "locale": oneOf("auto", localeGerman, localeEnglish), "submit_type": oneOf("pay"),
		"line_items[][price]": identifier, "line_items[][quantity]": integer(1, maxQuantity),
		"customer":                 identifier,
		"customer_update[address]": oneOf("auto", "never"), "customer_update[name]": oneOf("auto", "never"),
		"automatic_tax[enabled]": boolean, "tax_id_collection[enabled]": boolean,
		"billing_address_collection": oneOf("auto", "required"),
		"invoice_creation[enabled]":  boolean, "invoice_creation[invoice_data][footer]": text(5000),
	})
