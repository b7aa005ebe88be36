package stripe

// sessionParams are the parameters of a new session that the product or "stripe trigger" sends. Addresses are stored
// and returned, and do nothing here.
var sessionParams = metadataParams("metadata").with(
	metadataParams("payment_intent_data[metadata]"),
	shippingParams("payment_intent_data[shipping]"),
	metadataParams("invoice_creation[invoice_data][metadata]"),
	schema{
		"mode": oneOf("payment"), "success_url": webAddress, "cancel_url": webAddress, "client_reference_id": text(200),
		"currency": currencyCode, "locale": oneOf("auto", localeGerman, localeEnglish), "submit_type": oneOf("pay"),
		"line_items[][price]": identifier, "line_items[][quantity]": integer(1, maxQuantity),
		"customer":                 identifier,
		"customer_update[address]": oneOf("auto", "never"), "customer_update[name]": oneOf("auto", "never"),
		"payment_method_types[]":                  oneOf(methodCard, methodDebit),
		"payment_intent_data[setup_future_usage]": oneOf("off_session", "on_session"),
		"automatic_tax[enabled]":                  boolean, "tax_id_collection[enabled]": boolean,
		"billing_address_collection": oneOf("auto", "required"),
		"invoice_creation[enabled]":  boolean, "invoice_creation[invoice_data][footer]": text(5000),
		"invoice_creation[invoice_data][description]": text(1500), "custom_text[submit][message]": text(1200),
	})
