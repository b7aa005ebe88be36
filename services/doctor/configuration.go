package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/config"
)

// checkConfiguration reports the problems of config.Load, except those that other checks have reported.
func (s *SetUp) checkConfiguration(found []Check) []Check {
	const area = area("doctor.area.configuration")
	if len(s.Problems) == 0 {
		return area.ok("doctor.configuration.ok", nil)
	}
	reported := map[string]bool{}
	for _, c := range found {
		reported[c.Setting] = reported[c.Setting] || c.Level == Red
	}
	var checks []Check
	for _, p := range s.Problems {
		if reported[p.Name] {
			continue
		}
		c := area.wrong(p.Name, advice(p))[0]
		c.Args["advice"], c.Args["meant"] = p.Advice, p.Meant
		checks = append(checks, c)
	}
	return checks
}

// advices are the texts about a wrong value, by setting.
var advices = map[string]string{
	"PORT":                     "doctor.configuration.port",
	"APP_ENV":                  "doctor.configuration.app_env",
	"LOG_FORMAT":               "doctor.configuration.log_format",
	"LOG_LEVEL":                "doctor.configuration.log_level",
	"TRUSTED_PROXIES":          "doctor.configuration.trusted_proxies",
	"STRIPE_API_BASE":          "doctor.configuration.stripe_api_base",
	"DATABASE_MAX_CONNECTIONS": "doctor.configuration.database_max_connections",
	"SMALL_BUSINESS":           "doctor.configuration.small_business",
	"OIDC_ISSUER":              "doctor.configuration.oidc_issuer",
	"STRIPE_AUTOMATIC_TAX":     "doctor.configuration.yes_or_no",
	"STRIPE_TAX_IDS":           "doctor.configuration.yes_or_no",
	"DATABASE_INSECURE":        "doctor.configuration.yes_or_no",
	"WEBHOOK_PRIVATE_NETWORKS": "doctor.configuration.yes_or_no",
	"WITHDRAWAL_AUTO_REFUND":   "doctor.configuration.yes_or_no",
	"HOLD_WITHOUT_CONSENT":     "doctor.configuration.yes_or_no",
	"GOODWILL_DAYS":            "doctor.configuration.goodwill_days",
	"GOODWILL_UNUSED_PERCENT":  "doctor.configuration.goodwill_percent",
	"ADMIN_EMAILS":             "doctor.configuration.admin_emails",
	"SUPPORT_EMAILS":           "doctor.configuration.admin_emails",
	"IMPRINT_URL":              "doctor.configuration.legal_url",
	"TERMS_URL":                "doctor.configuration.legal_url",
	"PRIVACY_URL":              "doctor.configuration.legal_url",
	".env":                     "doctor.configuration.env_file",
}

// advice returns the locale key for a problem. A problem without a text of its own shows config's English one.
func advice(p config.Problem) string {
	switch {
	case p.Kind == config.UnknownName && p.Meant != "":
		return "doctor.configuration.meant"
	case p.Kind == config.UnknownName:
		return "doctor.configuration.unknown"
	case p.Kind == config.NotForSandbox:
		return "doctor.configuration.not_for_sandbox"
	case p.Kind == config.ForeignParameter:
		return "doctor.configuration.parameter"
	}
	if text := advices[p.Name]; text != "" {
		return text
	}
	if strings.HasSuffix(p.Name, "_CLIENT_ID") || strings.HasSuffix(p.Name, "_CLIENT_SECRET") {
		return "doctor.configuration.provider"
	}
	return "doctor.configuration.unlisted"
}

func (s *SetUp) checkSession(context.Context) []Check {
	const area, name = area("doctor.area.session"), "SESSION_SECRET"
	secrets := s.Config.SessionSecrets
	switch {
	case len(secrets) == 0 && s.Config.Strict():
		return area.wrong(name, "doctor.session.missing")
	case len(secrets) == 0 && s.Config.Mode == config.Test:
		return area.warning("doctor.session.generated", nil)
	case s.sandbox():
		return area.ok("doctor.session.sandbox", nil)
	case slices.ContainsFunc(secrets, func(secret string) bool { return len(secret) < config.SessionBytes }):
		return area.wrong(name, "doctor.session.short")
	case s.hasProblem(name):
		return area.wrong(name, "doctor.session.placeholder")
	}
	return area.ok("doctor.session.ok", nil)
}
