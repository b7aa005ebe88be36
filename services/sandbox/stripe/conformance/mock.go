package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startTime bounds the start of stripe-mock, which reads its document first.
const startTime = 30 * time.Second

// StartMock runs stripe-mock on a free loopback port until the test ends, and returns the base of its API.
//
// It refuses parameters that Stripe does not know and answers with fixtures: it stores nothing, sends no events and
// accepts every identifier.
// Source: https://github.com/stripe/stripe-mock#limitations
func StartMock(t testing.TB) string {
	t.Helper()
	binary, err := program("stripe-mock")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0") //nolint:gosec,noctx // built from pinned source; killed below
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	dieWithParent(cmd)
	started, ended := make(chan error, 1), make(chan struct{})
	address := make(chan string, 1)
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the kernel ties the program to the thread that started it
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		listening(said, address)
		_ = cmd.Wait() // killed, when all goes well
	}()
	if err := <-started; err != nil {
		t.Fatalf("start stripe-mock: %v", err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Logf("stripe-mock had ended: %v", err)
		}
		<-ended
	})
	select {
	case at := <-address:
		return "http://" + at
	case <-ended:
		err = errors.New("it ended")
	case <-time.After(startTime):
		err = fmt.Errorf("it did not listen within %s", startTime)
	}
	t.Fatalf("start stripe-mock: %v", err)
	return ""
}

// listening reads the address from stripe-mock's output, and then drains the output.
func listening(said io.Reader, address chan<- string) {
	const announcement = "Listening for HTTP at address: "
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if at, ok := strings.CutPrefix(lines.Text(), announcement); ok {
			address <- at
		}
	}
}
