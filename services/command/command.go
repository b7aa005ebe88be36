// Package command holds the subcommands that work on an open database: how each is called, what it does, what it
// prints. main opens what they need; it keeps those that are about the program itself.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
)

// UsageError is a wrong call of the program: exit status 2.
type UsageError string

// Error is the text for the operator.
func (e UsageError) Error() string { return string(e) }

// Env is what a command works with.
type Env struct {
	DB             *gorm.DB
	Purchase       *purchase.Service // for a command that needs Stripe
	Catalog        *catalog.Service  // likewise
	Log            *slog.Logger
	Stdout, Stderr io.Writer
}

// Command is one call of the program, understood and not yet done.
type Command struct {
	Stripe bool // it needs Env.Purchase and Env.Catalog
	Run    func(ctx context.Context, env Env) error
}

// Parse understands a command's arguments: flags, then exactly this many operands.
// Errors: UsageError; flag.ErrHelp after an explanation.
func Parse(set *flag.FlagSet, explanation string, args []string, operands int, stdout io.Writer) error {
	set.SetOutput(io.Discard)
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stdout, "Usage: %s\n\n%s\n", set.Name(), explanation)
		set.SetOutput(stdout)
		set.PrintDefaults()
		return err
	}
	switch {
	case err != nil:
	case set.NArg() > operands:
		err = fmt.Errorf("unexpected argument %q", set.Arg(operands))
	case set.NArg() < operands:
		err = errors.New("an argument is missing; -h explains")
	}
	if err != nil {
		return UsageError(fmt.Sprintf("%s: %v", set.Name(), err))
	}
	return nil
}

// New understands a call. known is false when the command is none of ours.
// Errors: those of Parse.
func New(name string, args []string, stdout io.Writer) (c Command, known bool, err error) {
	switch name {
	case "prices":
		c, err = syncPrices(args, stdout)
	case "reconcile":
		c, err = reconcileNow(args, stdout)
	case "grant":
		c, err = grant(args, stdout)
	case "admins":
		c, err = admins(args, stdout)
	case "relink":
		c, err = relink(args, stdout)
	case "keys":
		c, err = keys(args, stdout)
	default:
		return Command{}, false, nil
	}
	return c, true, err
}
