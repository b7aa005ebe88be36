package command

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/resume-matcher/credits/services/auth"
)

// admins is `credits admins`: who holds the right of which address, and, with --release, that the next sign-in gets it.
func admins(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits admins", flag.ContinueOnError)
	release := set.String("release", "", "take the right of this `address` from its sign-in; the next one that shows the address gets it")
	if err := Parse(set, "Lists which sign-in holds the right of which address of ADMIN_EMAILS.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	return Command{Run: func(ctx context.Context, env Env) error {
		if *release != "" {
			released, err := auth.ReleaseRight(ctx, env.DB, *release)
			if err != nil {
				return err
			}
			if !released {
				return UsageError("admins: nobody holds the right of that address")
			}
		}
		held, err := auth.AdminIdentities(ctx, env.DB)
		for _, a := range held {
			fmt.Fprintf(env.Stdout, "%s\t%s\t%s\t%s\n", a.Email, a.Issuer, a.Subject, a.CreatedAt.UTC().Format(time.RFC3339))
		}
		return err
	}}, nil
}
