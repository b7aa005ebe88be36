// Package sandbox starts local stand-ins for Stripe, a sign-in provider and Resume Matcher, so that the product runs
// without any account. They listen on loopback, and the product reaches them through the code that reaches the real
// services.
package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/sandbox/identity"
	"github.com/resume-matcher/credits/services/sandbox/mailbox"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
	"github.com/resume-matcher/credits/services/sandbox/stripe"
)

// oidcClient is the product's client id at the sign-in stand-in.
const oidcClient = "credits"

// StartStripe starts the Stripe stand-in and returns the configuration that points to it.
// Errors: any mode but the sandbox is refused.
func StartStripe(ctx context.Context, cfg config.Config, log *slog.Logger) (config.Config, *stripe.Server, error) {
	if err := refuseOutside(cfg); err != nil {
		return cfg, nil, err
	}
	key, err := cfg.Generated("stripe-secret-key", "sk_test_sandbox")
	if err != nil {
		return cfg, nil, err
	}
	secret, err := cfg.Generated("stripe-webhook-secret", "whsec_sandbox")
	if err != nil {
		return cfg, nil, err
	}
	server, err := stripe.Start(ctx, stripe.Options{
		DatabaseURL: cfg.DatabaseURL.Reveal(), Listen: loopback(cfg.Port + 1), SecretKey: key.Reveal(),
		WebhookURL: fmt.Sprintf("http://127.0.0.1:%d/api/stripe/webhook", cfg.Port), PublicWebhookURL: cfg.AppURL +
			"/api/stripe/webhook",
		WebhookSecrets: []string{secret.Reveal()}, ProductURL: cfg.AppURL, Seller: cfg.SellerName, Log: log,
	})
	if err != nil {
		return cfg, nil, fmt.Errorf("start the Stripe stand-in: %w", err)
	}
	cfg.StripeSecretKey, cfg.WebhookSecrets, cfg.StripeAPIBase = key, []string{secret.Reveal()}, server.URL()
	return cfg, server, nil
}

// StartIdentity starts the sign-in stand-in and returns the configuration that points to it.
// Errors: a server that others can reach is refused.
func StartIdentity(ctx context.Context, cfg config.Config, log *slog.Logger) (config.Config, *identity.Server, error) {
	if !cfg.LocalSignIn || cfg.Production() {
		return cfg, nil, errors.New("the sign-in stand-in serves this machine only")
	}
	secret, err := cfg.Generated("oidc-client-secret", "")
	if err != nil {
		return cfg, nil, err
	}
	server, err := identity.Start(ctx, identity.Options{
		Listen: loopback(cfg.Port + 2), ClientID: oidcClient, ClientSecret: secret.Reveal(),
		RedirectURLs: []string{cfg.AppURL + "/auth/oidc/callback"}, ProductURL: cfg.AppURL, Log: log,
	})
	if err != nil {
		return cfg, nil, fmt.Errorf("start the sign-in stand-in: %w", err)
	}
	cfg.OIDC = config.OAuthApp{ClientID: oidcClient, ClientSecret: secret}
	cfg.OIDCIssuer, cfg.OIDCName = server.Issuer(), "Sandbox"
	return cfg, server, nil
}

// StartResumeMatcher starts the Resume Matcher stand-in, with the tenant add-on, and returns the configuration that
// points to it. What it stores ends with it.
// Errors: any mode but the sandbox is refused.
func StartResumeMatcher(ctx context.Context, cfg config.Config, log *slog.Logger) (config.Config,
	*resumematcher.Server, error) {
	if err := refuseOutside(cfg); err != nil {
		return cfg, nil, err
	}
	secret, err := cfg.Generated("resume-matcher-secret", "")
	if err != nil {
		return cfg, nil, err
	}
	server, err := resumematcher.Start(ctx, loopback(cfg.Port+3), resumematcher.Options{
		Secret: secret.Reveal(), PublicURL: cmp.Or(cfg.ResumeMatcher.PublicURL, cfg.AppURL)}, log)
	if err != nil {
		return cfg, nil, fmt.Errorf("start the Resume Matcher stand-in: %w", err)
	}
	cfg.ResumeMatcher.URL, cfg.ResumeMatcher.Secret = server.URL(), secret
	cfg.ResumeMatcher.Control = server.ControlURL()
	return cfg, server, nil
}

// StartMailbox starts the stand-in of a mail server and returns the configuration that points to it. What it received
// ends with it.
// Errors: any mode but the sandbox is refused.
func StartMailbox(ctx context.Context, cfg config.Config, log *slog.Logger) (config.Config, *mailbox.Server, error) {
	if err := refuseOutside(cfg); err != nil {
		return cfg, nil, err
	}
	server, err := mailbox.Start(ctx, loopback(cfg.Port+4), log)
	if err != nil {
		return cfg, nil, fmt.Errorf("start the mailbox: %w", err)
	}
	server.SetProduct(cfg.AppURL)
	cfg.SMTPURL, cfg.Mailbox = config.Secret(server.SMTPURL()), server.URL()
	cfg.MailFrom = cmp.Or(cfg.MailFrom, "credits@example.com")
	return cfg, server, nil
}

func refuseOutside(cfg config.Config) error {
	if cfg.Mode != config.Sandbox || cfg.Production() {
		return errors.New("stand-ins run in sandbox mode only")
	}
	return nil
}

// loopback returns an address that only this machine can reach. Port 0 stands in for a port out of range: the system
// picks one.
func loopback(port int) string {
	if port > 65535 {
		port = 0
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
