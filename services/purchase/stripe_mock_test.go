package purchase_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startTime bounds the start of stripe-mock, which reads its document first.
const startTime = 30 * time.Second

// startMock runs stripe-mock on a free loopback port until the test ends, and returns the base of its API.
//
// It refuses parameters that Stripe does not know and answers with fixtures: it stores nothing, sends no events and
// accepts every identifier.
// Source: https://github.com/stripe/stripe-mock#limitations
func startMock(t *testing.T) string {
	t.Helper()
	find := exec.CommandContext(t.Context(), "go", "tool", "-n", "stripe-mock") // builds it unless cached
	find.Dir = "../sandbox/stripe/testdata/conformance"                         // pins it with its checksum
	find.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false -trimpath", "GOWORK=off", "CGO_ENABLED=0")
	binary, err := find.Output()
	if err != nil {
		t.Fatalf("build stripe-mock: %v", err)
	}
	cmd := exec.Command(strings.TrimSpace(string(binary)), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
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
