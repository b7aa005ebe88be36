package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Anonymous connections cost little memory: neither those that announce a large body and send one byte, nor those that
// send bodies far too large. Other visitors are still served.
func TestAnonymousConnectionsCostLittleMemory(t *testing.T) {
	if raced() { // the limit is for the program as operators run it; the run without the detector checks that one
		t.Skip("with the race detector the program takes several times the memory")
	}
	t.Parallel()
	if runtime.GOOS != "linux" { // operators run it on Linux; elsewhere developers do
		t.Skip("only Linux reports a process's memory in /proc")
	}
	const connections, limit = 1200, 50 // MiB
	s := start(t)
	v := newVisitor(s, "en")
	v.open("/en") // allocate what every first request needs
	before := s.memory()
	address := strings.TrimPrefix(s.url, "http://")
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(hangTimeout)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for n := range connections {
		conn := dial()
		if _, err := io.WriteString(conn,
			"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6000000\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
		if n%300 == 299 {
			if v.open("/en"); v.status != http.StatusOK {
				t.Fatalf("visitor beside %d open connections: status %d, want 200", n+1, v.status)
			}
		}
	}
	if grown := s.memory() - before; grown > limit {
		t.Errorf("%d connections that announce 6 MB: %d MiB, want at most %d", connections, grown, limit)
	}
	body := bytes.Repeat([]byte("x"), 5_900_000)
	var all sync.WaitGroup
	for range 50 {
		conn := dial()
		all.Go(func() {
			if _, err := fmt.Fprintf(conn,
				"POST /api/stripe/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
				len(body), body); err != nil {
				t.Error(err)
				return
			}
			if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413 ") {
				t.Errorf("body of 5.9 MB: answer %.40q (%v), want 413", answer, err)
			}
		})
	}
	all.Wait()
	if grown := s.memory() - before; grown > limit {
		t.Errorf("50 bodies of 5.9 MB: %d MiB, want at most %d", grown, limit)
	}
}

// memory returns the server's peak memory in MiB.
func (s *site) memory() int { return s.memoryField("VmHWM") }

// memoryField returns a size in /proc/PID/status, in MiB.
// Source: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func (s *site) memoryField(name string) int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("no %s in /proc/PID/status:\n%s", name, text)
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return kib >> 10
}
