package command

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

// grant is `credits grant`. A call that was cut can be repeated: the same grant is booked once, unless --key says that
// it is another one.
func grant(ctx context.Context, p *Program, args []string) error {
	set := newFlags("grant", "command.grant.explanation")
	email := set.String("email", "", say(ctx, "command.grant.email", nil))
	credits := set.Int64("credits", 0, say(ctx, "command.grant.credits", nil))
	note := set.String("note", "", say(ctx, "command.grant.note", nil))
	key := set.String("key", "", say(ctx, "command.grant.key", nil))
	actor := set.String("actor", operator(), say(ctx, "command.grant.actor", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	if *email == "" || *credits == 0 || strings.TrimSpace(*note) == "" {
		return UsageError(say(ctx, "command.grant.incomplete", nil))
	}
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	service := &admin.Service{DB: db, Log: p.Log}
	user, err := service.UserByEmail(ctx, *email)
	if fault.Is(err, fault.NotFound) {
		return errors.New(say(ctx, "command.grant.no_user", nil))
	}
	if err != nil {
		return err
	}
	g := admin.Grant{UserID: user.ID, Delta: models.Credits(*credits), Note: *note, Operator: *actor}
	g.Key = grantKey(g, *key)
	entry, err := service.Grant(ctx, g)
	if f := fault.Of(err); f != nil {
		return UsageError("grant: " + faultText(ctx, f))
	}
	if err != nil {
		return err
	}
	text := "command.grant.done"
	if entry.Replayed {
		text = "command.grant.repeated"
	}
	_, err = fmt.Fprintln(p.Stdout, say(ctx, text, values{
		"credits": int64(entry.DeltaCredits), "user": fmt.Sprint(user.ID), "balance": int64(entry.BalanceAfter),
		"time": entry.CreatedAt.UTC().Format(time.DateTime) + " UTC"}))
	return err
}

// grantKey returns the idempotency key of a grant: from the operator's or, without one, from what is granted.
func grantKey(g admin.Grant, chosen string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s", g.Delta, strings.TrimSpace(g.Note), chosen))
	return "command:" + hex.EncodeToString(sum[:16])
}

// operator returns the login name of the person at the terminal, or "".
func operator() string {
	current, err := user.Current()
	if err != nil {
		return os.Getenv("SUDO_USER")
	}
	return cmp.Or(os.Getenv("SUDO_USER"), current.Username)
}

// faultText returns the sentence of a fault.
func faultText(ctx context.Context, f *fault.Error) string {
	if f.Problem != "" {
		return say(ctx, "errors.problem."+string(f.Problem), f.Detail)
	}
	return say(ctx, "errors."+string(f.Code), f.Detail)
}
