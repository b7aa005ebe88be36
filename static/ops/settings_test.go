package ops_test

import (
	"regexp"
	"slices"
	"testing"
)

// settingLine is a line of .env.example that names a setting.
var settingLine = regexp.MustCompile(`(?m)^#([A-Z][A-Z0-9_]*)=`)

// unnamed are the settings that a deployment need not name: their defaults suit most shops.
var unnamed = []string{
	"APP_ENV", "PORT", "DATA_DIR", "POSTGRES_BIN_DIR", "STRIPE_API_BASE", // of development, or of the image
	"SHUTDOWN_DELAY", "DATABASE_INSECURE", "DATABASE_POOL_URL", "DATABASE_MAX_CONNECTIONS", "LOG_LEVEL", "LOG_FORMAT",
	"STRIPE_PUBLISHABLE_KEY", "STRIPE_AUTOMATIC_TAX", "STRIPE_TAX_IDS", "SMALL_BUSINESS", "RETURN_ORIGINS",
	"WITHDRAWAL_AUTO_REFUND", "HOLD_WITHOUT_CONSENT", "GOODWILL_DAYS", "GOODWILL_UNUSED_PERCENT", "SUPPORT_EMAILS",
	// A deployment names Google as an example, or "a sign-in provider".
	"GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "LINKEDIN_CLIENT_ID",
	"LINKEDIN_CLIENT_SECRET", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_NAME",
	// In front of Resume Matcher, resume-matcher/credits.yaml has them.
	"RESUME_MATCHER_URL", "RESUME_MATCHER_API_URL", "RESUME_MATCHER_PUBLIC_URL", "RESUME_MATCHER_SECRET",
	"RESUME_MATCHER_SHARED", "RESUME_MATCHER_ROUTES", "RESUME_MATCHER_TIMEOUT_SECONDS",
	"SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS",
	"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SDK_DISABLED",
}

// notPassed are the settings that the overlay for Resume Matcher decides itself, or that Resume Matcher has, too.
var notPassed = []string{
	"APP_ENV", "PORT", "DATA_DIR", "POSTGRES_BIN_DIR", "STRIPE_API_BASE", "SHUTDOWN_DELAY", "LOG_LEVEL", "LOG_FORMAT",
	"DATABASE_POOL_URL", "DATABASE_MAX_CONNECTIONS", "RESUME_MATCHER_SHARED", "RESUME_MATCHER_ROUTES",
	"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SDK_DISABLED",
}

// A new setting is named in every deployment, or listed above as one that need not be.
func TestDeploymentsNameTheSettings(t *testing.T) {
	t.Parallel()
	var settings []string
	for _, line := range settingLine.FindAllStringSubmatch(read(t, "../../.env.example"), -1) {
		settings = append(settings, line[1])
	}
	for file, exempt := range map[string][]string{
		"compose.yaml": unnamed, "render.yaml": unnamed, "kubernetes/credits.yaml": unnamed, "credits.service": unnamed,
		"resume-matcher/credits.yaml": notPassed,
	} {
		text := read(t, file)
		for _, name := range settings {
			if !slices.Contains(exempt, name) && !regexp.MustCompile(`\b`+name+`\b`).MatchString(text) {
				t.Errorf("%s does not name %s", file, name)
			}
		}
		for _, name := range exempt {
			if !slices.Contains(settings, name) {
				t.Errorf("%s is exempt and no setting of .env.example", name)
			}
		}
	}
}
