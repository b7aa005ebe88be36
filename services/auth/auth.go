// Package auth signs users in through goth's providers, and keeps their identities and sessions.
//
// goth speaks to the providers. This package adds what goth lacks: state, PKCE and nonce per sign-in, checked
// signatures of ID tokens, and the rule that an e-mail address counts only if the provider has verified it.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/seal"
)

const providerTimeout = 10 * time.Second

// Options is what New needs.
type Options struct {
	DB          *gorm.DB
	AppURL      string // public origin; providers send users back to AppURL/auth/{name}/callback
	Providers   []ProviderConfig
	AdminEmails []string // users with one of these addresses, verified, are admins
	// HelperEmails are those of helpers, who may read pages of the admin area. An admin's address has no effect here.
	HelperEmails []string
	Secrets      seal.Secrets
	HTTPClient   *http.Client
	Claim        func(ctx context.Context, userID int64) // claims purchases for a verified address; may be nil
	Log          *slog.Logger
	Now          func() time.Time
}

// Service signs users in and reads their accounts.
type Service struct {
	db        *gorm.DB
	providers []provider
	admins    []string
	helpers   []string
	secrets   seal.Secrets
	claim     func(ctx context.Context, userID int64)
	log       *slog.Logger
	now       func() time.Time
}

// New checks the options. It contacts no provider: CheckIssuer and the first sign-in with each one do.
func New(o Options) (*Service, error) {
	s := &Service{db: o.DB, secrets: o.Secrets, claim: o.Claim, log: o.Log, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = models.Now
	}
	if s.claim == nil {
		s.claim = func(context.Context, int64) {}
	}
	if u, err := url.Parse(o.AppURL); err != nil || u.Host == "" {
		return nil, errors.New("auth: the application's address is not an absolute URL")
	}
	var err error
	if s.admins, err = parseAddresses(o.AdminEmails); err != nil {
		return nil, err
	}
	if s.helpers, err = parseAddresses(o.HelperEmails); err != nil {
		return nil, err
	}
	client := limitedClient(o.HTTPClient)
	for _, config := range o.Providers {
		if err := config.check(); err != nil {
			return nil, err
		}
		if s.provider(config.Name) != nil {
			return nil, fmt.Errorf("auth: provider %q is configured twice", config.Name)
		}
		callback := strings.TrimRight(o.AppURL, "/") + "/auth/" + config.Name + "/callback"
		s.providers = append(s.providers, newProvider(config, callback, client, s.now))
	}
	return s, nil
}

// parseAddresses parses the addresses of admins or helpers.
func parseAddresses(raw []string) (parsed []string, err error) {
	for _, text := range raw {
		email := address.Parse(text)
		if email == "" {
			return nil, errors.New("auth: an admin's or helper's e-mail address cannot be read")
		}
		parsed = append(parsed, email)
	}
	return parsed, nil
}

// CheckIssuer reads the discovery document at OIDC_ISSUER, so that the log names a wrong address at start, before the
// first sign-in.
func (s *Service) CheckIssuer(ctx context.Context) {
	p, ok := s.provider(config.OpenID).(*openID)
	if !ok {
		return
	}
	if _, err := p.discover(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "sign-in at OIDC_ISSUER does not work", "err", err)
	}
}

// Choice is a provider that the sign-in page offers.
type Choice struct {
	Name  string // the route: /auth/{Name}
	Label string // a proper name, the same in every language
}

// Providers lists the providers in the order of the configuration.
func (s *Service) Providers() []Choice {
	choices := make([]Choice, 0, len(s.providers))
	for _, p := range s.providers {
		choices = append(choices, Choice{Name: p.config().Name, Label: p.config().Label})
	}
	return choices
}

func (s *Service) provider(name string) provider {
	for _, p := range s.providers {
		if p.config().Name == name {
			return p
		}
	}
	return nil
}

// Account is a user and their rights.
type Account struct {
	models.User
	Admin    bool
	Helper   bool   // may read pages of the admin area
	TenantID string // under which Resume Matcher knows the user; empty until they use it
}

// Staff reports whether the user may enter the admin area.
func (a Account) Staff() bool { return a.Admin || a.Helper }

const userColumns = `users.id, coalesce(users.email, '') AS email, users.name,
	coalesce(users.stripe_customer_id, '') AS stripe_customer_id, users.credits_balance,
	users.credits_held, users.locale, users.created_at, users.updated_at`

// accountColumns read a user with their rights, so that a change of the rights counts at the next request.
const accountColumns = userColumns + `,
	coalesce((SELECT tenant_id FROM gate_users WHERE gate_users.user_id = users.id)::text, '') AS tenant_id, ` + rightsSQL + ` AS rights`

// staffLists are the addresses in ADMIN_EMAILS and in SUPPORT_EMAILS.
type staffLists struct{ admins, helpers []string }

// scan reads the columns before, then accountColumns.
func (a *Account) scan(rows postgres.Rows, staff staffLists, before ...any) error {
	var rights []string
	err := rows.Scan(append(before, &a.ID, &a.Email, &a.Name, &a.StripeCustomerID, &a.CreditsBalance, &a.CreditsHeld,
		&a.Locale, &a.CreatedAt, &a.UpdatedAt, &a.TenantID, &rights)...)
	a.Admin, a.Helper = holdsOne(rights, staff.admins), holdsOne(rights, staff.helpers)
	return err
}

// Account returns the user with this id.
// Errors: fault.NotFound when there is none.
func (s *Service) Account(ctx context.Context, userID int64) (Account, error) {
	var found *Account
	err := postgres.Read(ctx, s.db, func(rows postgres.Rows) error {
		if !rows.Next() {
			return rows.Err()
		}
		found = &Account{}
		return found.scan(rows, staffLists{s.admins, s.helpers})
	}, `SELECT `+accountColumns+` FROM users WHERE id = $1 AND deleted_at IS NULL`, userID)
	if err != nil {
		return Account{}, fmt.Errorf("read account %d: %w", userID, err)
	}
	if found == nil {
		return Account{}, fault.Because(fault.NotFound, fault.UserUnknown)
	}
	return *found, nil
}

// staff are the addresses of admins and helpers.
func (s *Service) staff() []string { return slices.Concat(s.admins, s.helpers) }

// listed returns addresses as an argument of SQL, which has no empty list.
func listed(addresses []string) []string {
	if len(addresses) == 0 {
		return []string{"-"} // not an address
	}
	return addresses
}

// Identities lists a user's identities, the oldest first.
func (s *Service) Identities(ctx context.Context, userID int64) ([]models.Identity, error) {
	var found []models.Identity
	err := s.db.WithContext(ctx).
		Raw(`SELECT issuer, subject, user_id, provider, email, email_verified, name, created_at, last_sign_in_at
		FROM identities WHERE user_id = ? ORDER BY created_at, issuer, subject`, userID).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("list identities of user %d: %w", userID, err)
	}
	return found, nil
}
