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
	switch name := p.Name; name {
	case "PORT":
		return "doctor.configuration.port"
	case "APP_ENV":
		return "doctor.configuration.app_env"
	case "LOG_FORMAT":
		return "doctor.configuration.log_format"
	case "LOG_LEVEL":
		return "doctor.configuration.log_level"
	case "TRUSTED_PROXIES":
		return "doctor.configuration.trusted_proxies"
	case "STRIPE_API_BASE":
		return "doctor.configuration.stripe_api_base"
	case "DATABASE_MAX_CONNECTIONS":
		return "doctor.configuration.database_max_connections"
	case "SMALL_BUSINESS":
		return "doctor.configuration.small_business"
	case "OIDC_ISSUER":
		return "doctor.configuration.oidc_issuer"
	case "STRIPE_AUTOMATIC_TAX", "STRIPE_TAX_IDS", "DATABASE_INSECURE", "WEBHOOK_PRIVATE_NETWORKS",
		"WITHDRAWAL_AUTO_REFUND", "HOLD_WITHOUT_CONSENT":
		return "doctor.configuration.yes_or_no"
	case "GOODWILL_DAYS":
		return "doctor.configuration.goodwill_days"
	case "GOODWILL_UNUSED_PERCENT":
		return "doctor.configuration.goodwill_percent"
	case "ADMIN_EMAILS", "SUPPORT_EMAILS":
		return "doctor.configuration.admin_emails"
	case "IMPRINT_URL", "TERMS_URL", "PRIVACY_URL":
		return "doctor.configuration.legal_url"
	case ".env":
		return "doctor.configuration.env_file"
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
