package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/fault"
)

// keys opens the service of the service keys on the database that open returns.
func (p *Program) keys(ctx context.Context, open func(context.Context) (*gorm.DB, error)) (*apikey.Service, error) {
	db, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return apikey.New(db, nil, p.Log, nil), nil
}

// createKey is `credits keys create`. Only the key goes to stdout, so that a script can read it.
func createKey(ctx context.Context, p *Program, args []string) error {
	request, err := parseKey(ctx, p, args)
	if err != nil {
		return err
	}
	keys, err := p.keys(ctx, p.open)
	if err != nil {
		return err
	}
	key, plaintext, err := keys.Create(ctx, request)
	if f := fault.Of(err); f != nil && f.Code == fault.Invalid {
		flag := strings.NewReplacer("scopes", "scope", "_", "-").Replace(f.Field)
		return UsageError(say(ctx, "command.keys.create.invalid", values{"flag": flag}))
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.Stdout, plaintext); err != nil {
		return fmt.Errorf("%s: %w", say(ctx, "command.keys.create.lost", values{"id": key.ID.String()}), err)
	}
	fmt.Fprintln(p.Stderr, say(ctx, "command.keys.create.done", values{"id": key.ID.String()}))
	return nil
}

// parseKey reads from the arguments what the key is to be.
func parseKey(ctx context.Context, p *Program, args []string) (apikey.Request, error) {
	set := newFlags("keys create", "command.keys.create.explanation")
	name := set.String("name", "", say(ctx, "command.keys.create.name", nil))
	scope := set.String("scope", "", say(ctx, "command.keys.create.scope", nil))
	perMinute := set.Int("per-minute", apikey.DefaultPerMinute, say(ctx, "command.keys.create.per_minute", nil))
	days := set.Int("expires-days", 0, say(ctx, "command.keys.create.expires_days", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return apikey.Request{}, err
	}
	if strings.TrimSpace(*name) == "" || *scope == "" {
		return apikey.Request{}, UsageError(say(ctx, "command.keys.create.incomplete", nil))
	}
	request := apikey.Request{Name: *name, PerMinute: *perMinute, ExpiresInDays: *days}
	for word := range strings.SplitSeq(*scope, ",") {
		request.Scopes = append(request.Scopes, strings.TrimSpace(word))
	}
	return request, nil
}

// listKeys is `credits keys list`.
func listKeys(ctx context.Context, p *Program, args []string) error {
	if err := newFlags("keys list", "command.keys.list.explanation").parse(ctx, p, args); err != nil {
		return err
	}
	keys, err := p.keys(ctx, p.read)
	if err != nil {
		return err
	}
	all, err := keys.List(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tPREFIX\tSCOPES\tPER MINUTE\tCREATED\tLAST USED\tEXPIRES\tREVOKED")
	for _, k := range all {
		limit := say(ctx, "command.keys.list.no_limit", nil)
		if k.PerMinute > 0 {
			limit = strconv.Itoa(k.PerMinute)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Prefix, strings.Join(k.Scopes, ","), limit,
			minute(&k.CreatedAt), minute(k.LastUsedAt), minute(k.ExpiresAt), minute(k.RevokedAt))
	}
	return table.Flush()
}

// minute writes a time to the minute, in UTC.
func minute(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// revokeKey is `credits keys revoke`.
func revokeKey(ctx context.Context, p *Program, args []string) error {
	set := newFlags("keys revoke ID|PREFIX", "command.keys.revoke.explanation")
	set.operands = 1
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	keys, err := p.keys(ctx, p.open)
	if err != nil {
		return err
	}
	key, err := keys.Find(ctx, set.Arg(0))
	switch {
	case fault.Is(err, fault.NotFound):
		return errors.New(say(ctx, "command.keys.revoke.unknown", nil))
	case fault.Is(err, fault.Conflict):
		return errors.New(say(ctx, "command.keys.revoke.ambiguous", nil))
	case err != nil:
		return err
	}
	if err := keys.Revoke(ctx, key.ID, 0, ""); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, say(ctx, revoked(key), values{"id": key.ID.String(), "name": key.Name}))
	return err
}

// revoked is the text about a key that was just revoked, or found revoked.
func revoked(key models.APIKey) string {
	if key.RevokedAt != nil {
		return "command.keys.revoke.before"
	}
	return "command.keys.revoke.done"
}
