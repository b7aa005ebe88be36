// Package conformance checks the stand-in and the product's calls against Stripe's own work: its description of the API
// (Document) and its mock server (StartMock).
//
// A module of its own in ../testdata/conformance pins both with their checksums. Go builds the mock server on first use
// and caches it.
package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	modulePath = "services/sandbox/stripe/testdata/conformance"
	mockModule = "github.com/stripe/stripe-mock"
	// buildTime bounds the first build, downloads included, on a slow machine.
	buildTime = 6 * time.Minute
)

// program builds one of the module's tools unless it is in the build cache, and returns the path of its binary.
func program(name string) (string, error) {
	said, err := goCommand("tool", "-n", name)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(said)), nil
}

// mockSource returns the directory of stripe-mock's source, which contains Stripe's document.
func mockSource() (string, error) {
	said, err := goCommand("mod", "download", "-json", mockModule)
	if err != nil {
		return "", err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(said, &module); err != nil || module.Dir == "" {
		return "", fmt.Errorf("where is %s: %w", mockModule, errors.Join(err, errors.New("no directory")))
	}
	return module.Dir, nil
}

// goCommand runs the go command within the pinned module and returns what it printed.
func goCommand(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	main, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("find the main module: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are those of the functions above
	cmd.Dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(main))), filepath.FromSlash(modulePath))
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false -trimpath", "GOWORK=off", "CGO_ENABLED=0")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	said, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, complaint.String())
	}
	return said, nil
}
