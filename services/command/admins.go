package command

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/services/auth"
)

// admins is `credits admins`: it lists which identity holds the right of which address or, with --release, frees one.
func admins(ctx context.Context, p *Program, args []string) error {
	set := newFlags("admins", "command.admins.explanation")
	release := set.String("release", "", say(ctx, "command.admins.release", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	open := p.read
	if *release != "" {
		open = p.open
	}
	db, err := open(ctx)
	if err != nil {
		return err
	}
	if *release != "" {
		released, err := auth.ReleaseAdminRight(ctx, db, *release)
		if err != nil {
			return err
		}
		if !released {
			return UsageError(say(ctx, "command.admins.unheld", nil))
		}
	}
	rights, err := auth.AdminIdentities(ctx, db)
	for _, r := range rights {
		fmt.Fprintf(p.Stdout, "%s\t%s\t%s\t%s\n", r.Email, r.Issuer, r.Subject, r.CreatedAt.UTC().Format(time.RFC3339))
	}
	return err
}
