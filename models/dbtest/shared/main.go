// Command shared runs a command, such as go test, with one PostgreSQL for the tests of all packages:
//
//	go run ./models/dbtest/shared go test ./...
//
// Starting a server and migrating a template takes more processor time than the tests of most packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/resume-matcher/credits/models/dbtest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: shared COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	err := run(os.Args[1], os.Args[2:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.ExitCode() > 0: // the command has said why
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "run with a shared test database:", err)
		os.Exit(1)
	}
}

// run runs a command and stops the server after it. SIGINT and SIGTERM send SIGTERM to the command.
func run(name string, args ...string) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	env, stop, err := dbtest.Share(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the caller's own command
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
