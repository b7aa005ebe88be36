package command

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
)

// relink is `credits relink`: it lists the sign-ins that were refused because a user has their address, or gives one of
// them the user's account.
func relink(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits relink", flag.ContinueOnError)
	user := set.Int64("user", 0, "`number` of the user who has the address")
	identity := set.String("identity", "", "`id` of the refused sign-in, as the list shows it; without it, they are listed")
	if err := Parse(set, "Gives a user's account to a sign-in that was refused because it shows their address. The sign-in of the same\n"+
		"provider that had it is removed, and its sessions end. Do it only when you know that it is the same person.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	if *user <= 0 {
		return Command{}, UsageError("relink needs --user; credits relink -h explains it")
	}
	return Command{Run: func(ctx context.Context, env Env) error {
		service, err := auth.New(auth.Options{DB: env.DB, AppURL: "http://localhost", Log: env.Log})
		if err != nil {
			return err
		}
		if *identity != "" {
			err := service.Relink(ctx, auth.ByAdmin{UserID: *user, Identity: *identity})
			if f := fault.Of(err); f != nil && (f.Code == fault.NotFound || f.Code == fault.Conflict) {
				return UsageError("relink: there is no such refused sign-in any more; credits relink --user lists them")
			}
			return err
		}
		refused, err := service.Refused(ctx, *user)
		for _, r := range refused {
			fmt.Fprintf(env.Stdout, "%s\t%s\t%s\t%s\n", auth.IdentityID(models.Identity{Issuer: r.Issuer, Subject: r.Subject}), r.Provider, r.Email,
				r.LastSeenAt.UTC().Format(time.RFC3339))
		}
		return err
	}}, nil
}
