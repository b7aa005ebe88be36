// Package command is the command line: it finds the subcommand, parses its flags, prepares what it needs, and prints
// the result in the operator's language. main brings the server.
package command

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/logging"
)

// UsageError is a wrong call of the program: exit status 2.
type UsageError string

// Error is the text for the operator.
func (e UsageError) Error() string { return string(e) }

// ErrRed means that doctor or health found a problem, and has printed it.
var ErrRed = errors.New("a check failed")

// subcommands are all that the program knows, in the order of the usage, each with the locale key of its line there.
var subcommands = []struct {
	name    string
	summary string
	run     func(ctx context.Context, p *Program, args []string) error
}{
	{"serve", "command.serve.summary", serve},
	{"setup", "command.setup.summary", runSetUp},
	{"migrate", "command.migrate.summary", migrate},
	{"prices sync", "command.prices.summary", syncPrices},
	{"reconcile", "command.reconcile.summary", reconcileNow},
	{"doctor", "command.doctor.summary", checkSetUp},
	{"health", "command.health.summary", checkHealth},
	{"grant", "command.grant.summary", grant},
	{"keys create", "command.keys.create.summary", createKey},
	{"keys list", "command.keys.list.summary", listKeys},
	{"keys revoke", "command.keys.revoke.summary", revokeKey},
	{"webhooks list", "command.webhooks.list.summary", listWebhooks},
	{"webhooks add", "command.webhooks.add.summary", addWebhook},
	{"webhooks rotate", "command.webhooks.rotate.summary", rotateWebhook},
	{"webhooks remove", "command.webhooks.remove.summary", removeWebhook},
	{"webhooks replay", "command.webhooks.replay.summary", replayWebhooks},
	{"admins", "command.admins.summary", admins},
	{"relink", "command.relink.summary", relink},
	{"version", "command.version.summary", version},
}

// groups are the first words of subcommands that have two, with the text that says which second words there are.
var groups = map[string]string{"prices": "command.prices.incomplete", "keys": "command.keys.incomplete",
	"webhooks": "command.webhooks.incomplete"}

// Fail reports the error that ended the program: in words or, where the server's log is JSON, as a line of it.
func (p *Program) Fail(err error) {
	if p.serves && p.Config.LogFormat == "json" {
		p.Log.Error("server failed", "err", err)
		p.flushReports()
		return
	}
	fmt.Fprintln(p.Stderr, "credits: "+logging.Redact(err.Error()))
}

// Run runs the subcommand that args name, serve if there are none.
// Errors: UsageError; flag.ErrHelp after an explanation; ErrRed; any other has a text for the operator.
func (p *Program) Run(ctx context.Context, args []string) (err error) {
	defer p.close()
	if p.Texts, err = locales.Load(); err != nil {
		return err
	}
	ctx, _ = p.Texts.Context(ctx, p.Texts.Terminal(config.Language(p.Variables)))
	if len(args) == 0 {
		args = []string{"serve"}
	}
	for _, c := range subcommands {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == c.name {
			return c.run(ctx, p, args[len(words):])
		}
	}
	first, incomplete := args[0], groups[args[0]]
	switch {
	case isHelp(first):
		fmt.Fprint(p.Stdout, usage(ctx, ""))
		return nil
	case incomplete == "":
		return UsageError(say(ctx, "command.unknown", values{"name": first}) + "\n\n" + usage(ctx, ""))
	case len(args) > 1 && isHelp(args[1]):
		fmt.Fprint(p.Stdout, usage(ctx, first+" "))
		return nil
	}
	return UsageError(say(ctx, incomplete, nil))
}

func isHelp(arg string) bool { return slices.Contains([]string{"help", "-h", "-help", "--help"}, arg) }

// usage lists the subcommands whose names begin with prefix.
func usage(ctx context.Context, prefix string) string {
	var text strings.Builder
	text.WriteString(say(ctx, "command.usage", nil) + "\n\n")
	width := 0
	for _, c := range subcommands {
		width = max(width, len(c.name))
	}
	for _, c := range subcommands {
		if strings.HasPrefix(c.name, prefix) {
			fmt.Fprintf(&text, "  %-*s  %s\n", width, c.name, say(ctx, c.summary, nil))
		}
	}
	text.WriteString("\n" + say(ctx, "command.explained", nil) + "\n")
	return text.String()
}

// values fill the placeholders of a text.
type values = map[string]any

// say returns a text in the operator's language.
func say(ctx context.Context, key string, args values) string { return locales.T(ctx, key, args) }

// flags are the flags and operands of one subcommand.
type flags struct {
	*flag.FlagSet
	operands int    // how many arguments follow the flags
	explains string // the locale key of what -h says
}

func newFlags(call, explains string) *flags {
	return &flags{FlagSet: flag.NewFlagSet("credits "+call, flag.ContinueOnError), explains: explains}
}

// parse parses the arguments. Errors: UsageError; flag.ErrHelp after an explanation.
func (f *flags) parse(ctx context.Context, p *Program, args []string) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(p.Stdout, "%s\n\n%s\n", say(ctx, "command.call", values{"call": f.Name()}), say(ctx, f.explains, nil))
		f.SetOutput(p.Stdout)
		f.PrintDefaults()
		return err
	}
	wrong := ""
	switch {
	case err != nil:
		wrong = err.Error()
	case f.NArg() > f.operands:
		wrong = say(ctx, "command.unexpected", values{"argument": f.Arg(f.operands)})
	case f.NArg() < f.operands:
		wrong = say(ctx, "command.missing", nil)
	}
	if wrong != "" {
		return UsageError(f.Name() + ": " + wrong)
	}
	return nil
}

// version is `credits version`: the version, the commit of the source code and the version of the schema, in one line.
func version(ctx context.Context, p *Program, args []string) error {
	f := newFlags("version", "command.version.explanation")
	licences := f.Bool("licenses", false, say(ctx, "command.version.licenses", nil))
	if err := f.parse(ctx, p, args); err != nil {
		return err
	}
	text := fmt.Sprintf("%s, commit %s, schema %d", p.Version, cmp.Or(p.Commit, "unknown"), postgres.SchemaVersion())
	if *licences {
		text = p.Licences()
	}
	_, err := fmt.Fprintln(p.Stdout, text)
	return err
}
