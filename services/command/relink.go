package command

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
)

// relink is `credits relink`: it lists the identities that were refused because a user has their address, or gives one
// of them the user's account.
func relink(ctx context.Context, p *Program, args []string) error {
	set := newFlags("relink", "command.relink.explanation")
	user := set.Int64("user", 0, say(ctx, "command.relink.user", nil))
	identity := set.String("identity", "", say(ctx, "command.relink.identity", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	if *user <= 0 {
		return UsageError(say(ctx, "command.relink.incomplete", nil))
	}
	open := p.read
	if *identity != "" {
		open = p.open
	}
	db, err := open(ctx)
	if err != nil {
		return err
	}
	service, err := auth.New(auth.Options{DB: db, AppURL: p.Config.AppURL, Log: p.Log})
	if err != nil {
		return err
	}
	if *identity != "" {
		err := service.Relink(ctx, auth.ByAdmin{UserID: *user, Identity: *identity})
		if f := fault.Of(err); f != nil && (f.Code == fault.NotFound || f.Code == fault.Conflict) {
			return UsageError(say(ctx, "command.relink.gone", nil))
		}
		return err
	}
	refused, err := service.Refused(ctx, *user)
	for _, r := range refused {
		id := auth.IdentityID(models.Identity{Issuer: r.Issuer, Subject: r.Subject})
		fmt.Fprintf(p.Stdout, "%s\t%s\t%s\t%s\n", id, r.Provider, r.Email, r.LastSeenAt.UTC().Format(time.RFC3339))
	}
	return err
}
