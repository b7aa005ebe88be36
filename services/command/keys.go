package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/fault"
)

const keysUsage = `Usage: credits keys COMMAND

Service keys, with which other programs call the API.

  create   make a key and print it, this once
  list     show every key, without the keys themselves
  revoke   end a key for ever, everywhere within a second

"credits keys COMMAND -h" explains a command.
`

// keys is `credits keys`.
func keys(args []string, stdout io.Writer) (Command, error) {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "create":
		return createKey(args, stdout)
	case "list":
		return listKeys(args, stdout)
	case "revoke":
		return revokeKey(args, stdout)
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, keysUsage)
		return Command{}, flag.ErrHelp
	}
	return Command{}, UsageError("keys knows create, list and revoke; credits keys -h explains them")
}

// createKey is `credits keys create`. The key alone goes to stdout, so that a script can keep it.
func createKey(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits keys create", flag.ContinueOnError)
	name := set.String("name", "", "what the key is for, 1 to 80 `characters`")
	scope := set.String("scope", "", "what it may do: `spend`, read, or both with a comma; who may spend may also read")
	perMinute := set.Int("per-minute", apikey.DefaultPerMinute, "how many `calls` it has a minute, 1 to 1000000; 0 is no limit")
	days := set.Int("expires-days", 0, "after how many `days` it ends by itself, 1 to 3650; 0 is never")
	if err := Parse(set, "Makes a service key and prints it. It is stored as a hash, so this is the only time that it can be read.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	if strings.TrimSpace(*name) == "" || *scope == "" {
		return Command{}, UsageError("keys create needs --name and --scope; credits keys create -h explains them")
	}
	request := apikey.Request{Name: *name, PerMinute: *perMinute, ExpiresInDays: *days}
	for word := range strings.SplitSeq(*scope, ",") {
		request.Scopes = append(request.Scopes, strings.TrimSpace(word))
	}
	return Command{Run: func(ctx context.Context, env Env) error {
		key, plaintext, err := apikey.New(env.DB, nil, env.Log, nil).Create(ctx, request)
		if f := fault.Of(err); f != nil && f.Code == fault.Invalid {
			return UsageError("keys create: --" + strings.NewReplacer("scopes", "scope", "_", "-").Replace(f.Field) + " is wrong; credits keys create -h explains it")
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(env.Stdout, plaintext); err != nil {
			return fmt.Errorf("print the key, which is now lost (credits keys revoke %s): %w", key.ID, err)
		}
		fmt.Fprintf(env.Stderr, "Keep it safe: it is not shown again. Programs send it as \"Authorization: Bearer …\". Revoke it with: credits keys revoke %s\n", key.ID)
		return nil
	}}, nil
}

// listKeys is `credits keys list`.
func listKeys(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits keys list", flag.ContinueOnError)
	if err := Parse(set, "Shows every key, those that are good first; times are in UTC, the last use is to the minute.", args, 0, stdout); err != nil {
		return Command{}, err
	}
	return Command{Run: func(ctx context.Context, env Env) error {
		all, err := apikey.New(env.DB, nil, env.Log, nil).List(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tPREFIX\tSCOPES\tPER MINUTE\tCREATED\tLAST USED\tEXPIRES\tREVOKED")
		for _, k := range all {
			limit := "no limit"
			if k.PerMinute > 0 {
				limit = strconv.Itoa(k.PerMinute)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Prefix, strings.Join(k.Scopes, ","), limit,
				moment(&k.CreatedAt), moment(k.LastUsedAt), moment(k.ExpiresAt), moment(k.RevokedAt))
		}
		return table.Flush()
	}}, nil
}

// moment writes a time for a terminal.
func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// revokeKey is `credits keys revoke`.
func revokeKey(args []string, stdout io.Writer) (Command, error) {
	set := flag.NewFlagSet("credits keys revoke ID|PREFIX", flag.ContinueOnError)
	if err := Parse(set, "Ends a key for ever, everywhere within a second. ID and PREFIX are those of credits keys list.", args, 1, stdout); err != nil {
		return Command{}, err
	}
	return Command{Run: func(ctx context.Context, env Env) error {
		all := apikey.New(env.DB, nil, env.Log, nil)
		key, err := all.Find(ctx, set.Arg(0))
		switch {
		case fault.Is(err, fault.NotFound):
			return errors.New("no key has this id or prefix")
		case fault.Is(err, fault.Conflict):
			return errors.New("several keys have this prefix; name the id")
		case err != nil:
			return err
		}
		if err := all.Revoke(ctx, key.ID, 0, ""); err != nil {
			return err
		}
		return printRevoked(env.Stdout, key)
	}}, nil
}

func printRevoked(w io.Writer, key models.APIKey) error {
	text := "Revoked key %s (%s).\n"
	if key.RevokedAt != nil {
		text = "Key %s (%s) had been revoked before.\n"
	}
	_, err := fmt.Fprintf(w, text, key.ID, key.Name)
	return err
}
