package doctor

import (
	"context"
	"slices"
	"strings"
)

func (s *SetUp) checkSecrets(context.Context) []Check {
	const area, name = area("doctor.area.secrets"), "STRIPE_WEBHOOK_SECRET"
	if s.sandbox() {
		return area.ok("doctor.secrets.sandbox", nil)
	}
	if s.Config.StripeWebhookSecret == "" && !s.hasProblem(name) { // tried on this machine
		return area.warning("doctor.secrets.listen", facts{"url": s.address()})
	}
	if s.Config.StripeWebhookSecret == "" {
		return area.wrong(name, "doctor.secrets.missing")
	}
	var secrets []string
	for part := range strings.SplitSeq(s.Config.StripeWebhookSecret.Reveal(), ",") {
		secret := strings.TrimSpace(part)
		switch {
		case secret == "":
			return area.wrong(name, "doctor.secrets.empty")
		case !strings.HasPrefix(secret, "whsec_"):
			return area.wrong(name, "doctor.secrets.shape")
		case slices.Contains(secrets, secret):
			return area.wrong(name, "doctor.secrets.twice")
		}
		secrets = append(secrets, secret)
	}
	if s.hasProblem(name) {
		return area.wrong(name, "doctor.secrets.shape")
	}
	return area.ok("doctor.secrets.ok", facts{"count": len(secrets)})
}
