package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

// grant is `credits grant`.
func grant(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits grant", flag.ContinueOnError)
	email := set.String("email", "", "e-mail `address` of the user")
	credits := set.Int64("credits", 0, "`number` of credits, 1 to 100000; negative takes them back")
	note := set.String("note", "", "the `reason`, shown to the user and kept in the audit log")
	if err := Parse(set, "Gives a user credits by hand.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	if *email == "" || *credits == 0 || strings.TrimSpace(*note) == "" {
		return Command{}, UsageError("grant needs --email, --credits and --note; credits grant -h explains them")
	}
	return Command{Run: func(ctx context.Context, env Env) error {
		staff := &admin.Service{DB: env.DB, Log: env.Log}
		user, err := staff.UserByEmail(ctx, *email)
		if fault.Is(err, fault.NotFound) {
			return errors.New("no user has this e-mail address")
		}
		if err != nil {
			return err
		}
		posted, err := staff.Grant(ctx, admin.Grant{UserID: user.ID, Delta: models.Credits(*credits), Note: *note, Key: uuid.NewString()})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "Booked %d credits for user %d. Balance: %d credits.\n", posted.DeltaCredits, user.ID, posted.BalanceAfter)
		return err
	}}, nil
}
