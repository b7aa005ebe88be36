package stripe

// locales are the values of Checkout's locale parameter.
var locales = []string{
	"auto", "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA", "hr", "hu",
	"id", "it", "ja",
	"ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh",
	"zh-HK", "zh-TW",
}

// sessionParams are the parameters of a new session. Those that only change the form of a real Checkout are stored and
// returned, and do nothing here.
var sessionParams = metadataParams("metadata").with(
	metadataParams("payment_intent_data[metadata]"),
	metadataParams("invoice_creation[invoice_data][metadata]"),
	schema{
		"mode": oneOf("payment", "setup", "subscription"), "ui_mode": oneOf("embedded", "hosted"),
		"success_url": webAddress, "cancel_url": webAddress, "client_reference_id": text(200),
		"currency": currencyCode, "expires_at": integer(0, 1<<40), "locale": oneOf(locales...),
		"submit_type":            oneOf("auto", "book", "donate", "pay"),
		"payment_method_types[]": oneOf("card", "klarna", "link", "paypal", "sepa_debit"),

		"line_items[][price]": identifier, "line_items[][quantity]": integer(1, maxQuantity),
		"line_items[][adjustable_quantity][enabled]": oneOf("false"),

		"customer": identifier, "customer_creation": oneOf("always", "if_required"), "customer_email": emailAddress,
		"customer_update[address]": oneOf("auto", "never"), "customer_update[name]": oneOf("auto", "never"),
		"customer_update[shipping]": oneOf("auto", "never"),

		"payment_intent_data[capture_method]":              oneOf("automatic", "automatic_async"),
		"payment_intent_data[description]":                 text(1000),
		"payment_intent_data[receipt_email]":               emailAddress,
		"payment_intent_data[setup_future_usage]":          oneOf("off_session", "on_session"),
		"payment_intent_data[statement_descriptor]":        text(22),
		"payment_intent_data[statement_descriptor_suffix]": text(22),

		"allow_promotion_codes": boolean, "automatic_tax[enabled]": boolean,
		"billing_address_collection":       oneOf("auto", "required"),
		"phone_number_collection[enabled]": boolean, "tax_id_collection[enabled]": boolean,
		"tax_id_collection[required]":                                  oneOf("if_supported", "never"),
		"consent_collection[promotions]":                               oneOf("auto", "none"),
		"consent_collection[terms_of_service]":                         oneOf("none", "required"),
		"consent_collection[payment_method_reuse_agreement][position]": oneOf("auto", "hidden"),
		"custom_text[after_submit][message]":                           text(1200),
		"custom_text[shipping_address][message]":                       text(1200),
		"custom_text[submit][message]":                                 text(1200),
		"custom_text[terms_of_service_acceptance][message]":            text(1200),
		"invoice_creation[enabled]":                                    boolean,
		"invoice_creation[invoice_data][custom_fields][][name]":        text(40),
		"invoice_creation[invoice_data][custom_fields][][value]":       text(140),
		"invoice_creation[invoice_data][description]":                  text(1500),
		"invoice_creation[invoice_data][footer]":                       text(5000),
	})
