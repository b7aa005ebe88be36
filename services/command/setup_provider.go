package command

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/resume-matcher/credits/services/config"
)

// noProvider is the answer that sets up no sign-in provider.
const noProvider = "none"

// askProvider asks for one sign-in provider, unless one is set or the stand-in signs people in.
func (s *setUp) askProvider(ctx context.Context) error {
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	for _, p := range config.Providers {
		if p.App(cfg).Set() {
			s.keepSet("OIDC_ISSUER", p.ClientID(), p.ClientSecret())
			return nil
		}
	}
	fallback := "google"
	if cfg.LocalSignIn {
		fallback = noProvider
	}
	for {
		fmt.Fprintf(s.Stdout, "%s [%s]: ", say(ctx, "command.setup.ask.provider", nil), fallback)
		chosen := cmp.Or(strings.ToLower(s.answer()), fallback)
		if chosen == noProvider {
			return nil
		}
		for _, p := range config.Providers {
			if p.Name == chosen {
				s.askApp(ctx, p, cfg.AppURL)
				return nil
			}
		}
		fmt.Fprintln(s.Stdout, say(ctx, "command.setup.no_provider", values{"name": chosen}))
	}
}

// askApp asks for the credentials of the site at a provider.
func (s *setUp) askApp(ctx context.Context, p config.Provider, site string) {
	if p.Name == config.OpenID {
		s.ask(ctx, "OIDC_ISSUER", "")
	}
	callback := site + "/auth/" + p.Name + "/callback"
	fmt.Fprintln(s.Stdout, say(ctx, "command.setup.callback", values{"callback": callback}))
	for _, name := range []string{p.ClientID(), p.ClientSecret()} {
		fmt.Fprintf(s.Stdout, "%s: ", name)
		s.keep(name, s.answer())
	}
}
