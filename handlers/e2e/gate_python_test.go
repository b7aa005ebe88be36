package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// pythons are the interpreters that may have uvicorn and FastAPI: the first in PATH, and that of the system's packages.
var pythons = []string{"python3", "/usr/bin/python3"}

// startPython runs testdata/matcher.py, which answers as fast as the libraries of Resume Matcher's backend can: one
// process of uvicorn and FastAPI. It returns its address; "" if no interpreter has them.
func startPython(b *testing.B) (address string) {
	b.Helper()
	for _, python := range pythons {
		if exec.Command(python, "-c", "import fastapi, uvicorn").Run() != nil {
			continue
		}
		port := freePort(b)
		server := exec.Command(python, "testdata/matcher.py", strconv.Itoa(port))
		out := newOutputBuffer()
		server.Stdout, server.Stderr = out, out
		if err := server.Start(); err != nil {
			b.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = server.Wait() // it is killed
			close(ended)
		}()
		b.Cleanup(func() {
			_ = server.Process.Kill() // it may have ended
			<-ended
		})
		for !strings.Contains(out.String(), "running on") {
			select {
			case <-out.changed:
			case <-ended:
				b.Fatalf("matcher.py ended:\n%s", out)
			}
		}
		return fmt.Sprintf("http://127.0.0.1:%d", port)
	}
	b.Log("No python3 has uvicorn and FastAPI (Debian: apt-get install python3-uvicorn python3-fastapi), so the gate " +
		"is not measured before a Resume Matcher in Python.")
	return ""
}
