package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

// grant is `credits grant`.
func grant(ctx context.Context, p *Program, args []string) error {
	set := newFlags("grant", "command.grant.explanation")
	email := set.String("email", "", say(ctx, "command.grant.email", nil))
	credits := set.Int64("credits", 0, say(ctx, "command.grant.credits", nil))
	note := set.String("note", "", say(ctx, "command.grant.note", nil))
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
	entry, err := service.Grant(ctx, admin.Grant{UserID: user.ID, Delta: models.Credits(*credits), Note: *note,
		Key: uuid.NewString()})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, say(ctx, "command.grant.done", values{
		"credits": int64(entry.DeltaCredits), "user": fmt.Sprint(user.ID), "balance": int64(entry.BalanceAfter)}))
	return err
}
