package e2e

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
)

// A server that receives SIGTERM answers on during SHUTDOWN_DELAY, and a second signal ends it at once.
func TestSecondSignalEndsTheDrain(t *testing.T) {
	t.Parallel()
	s := start(t, "SHUTDOWN_DELAY=5m")
	signal := func() {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	s.waitForOutput("stopping")
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200} {
		res, _ := request(t, newVisitor(s, "en").client, "GET", s.url+path, "", nil)
		if res.StatusCode != want || !res.Close {
			t.Errorf("%s while draining: status %d, closes %v; want %d and a close", path, res.StatusCode, res.Close, want)
		}
	}
	s.killed = true
	signal()
	err := <-s.exited
	s.exited <- err
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("second signal: %v, want an end by the signal", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("second signal: %v, want an end by SIGTERM", exit)
	}
}
