package outsider

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

const (
	// runTime bounds one command, which makes half a dozen requests on this machine.
	runTime = time.Minute
	// flushTime bounds what a killed command's own children may take to let go of its output.
	flushTime = 5 * time.Second
)

// CLI is Stripe's command line, speaking to somebody who stands in for Stripe.
type CLI struct{ binary, base, key string }

// NewCLI builds the command line unless it is in the build cache.
func NewCLI(t testing.TB, base, key string) *CLI {
	t.Helper()
	binary, err := program("stripe")
	if err != nil {
		t.Fatal(err)
	}
	return &CLI{binary, base, key}
}

// Run runs one command, such as "trigger", "charge.refunded", and returns all that it said. It has no home but a
// directory of the test's, reports nothing to Stripe, and ends with the test at the latest.
func (c *CLI) Run(t testing.TB, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	home := t.TempDir()
	cmd := exec.CommandContext(ctx, c.binary, append(args, "--api-base", c.base, "--api-key", c.key)...) //nolint:gosec // built from pinned source
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, "config"),
		"STRIPE_CLI_TELEMETRY_OPTOUT=1", "NO_COLOR=1", "NO_PROXY=*",
	}
	cmd.Dir, cmd.WaitDelay = home, flushTime
	dieWithParent(cmd)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	runtime.LockOSThread() // the kernel ties the program to the thread that started it
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	return said.String(), err
}
