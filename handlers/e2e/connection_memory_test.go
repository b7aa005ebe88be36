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

// A stranger has nothing of the process before they have earned it: neither connections that announce bodies and send
// one byte of them, nor bodies that are sent and far too large, cost memory, and whoever else comes is answered.
func TestStrangersCostNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says in /proc what a process has")
	}
	const connections, most = 1200, 50 // MiB
	s := start(t)
	v := newVisitor(s, "en")
	v.open("/en") // what is made at first is not the strangers'
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
		if _, err := io.WriteString(conn, "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6000000\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
		if n%300 == 299 {
			if v.open("/en"); v.status != http.StatusOK {
				t.Fatalf("beside %d connections that announce, a visitor is answered %d", n+1, v.status)
			}
		}
	}
	if grown := s.memory() - before; grown > most {
		t.Errorf("%d connections that announce 6 MB cost %d MiB, want at most %d", connections, grown, most)
	}
	body := bytes.Repeat([]byte("x"), 5_900_000)
	var all sync.WaitGroup
	for range 50 {
		conn := dial()
		all.Go(func() {
			if _, err := fmt.Fprintf(conn, "POST /api/stripe/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body); err != nil {
				t.Error(err)
				return
			}
			if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413 ") {
				t.Errorf("5.9 MB are answered %.40q (%v)", answer, err)
			}
		})
	}
	all.Wait()
	if grown := s.memory() - before; grown > most {
		t.Errorf("50 bodies of 5.9 MB cost %d MiB, want at most %d", grown, most)
	}
}

var peakMemory = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory is the most that the server has had so far, in MiB.
func (s *site) memory() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	found := peakMemory.FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("the system does not say how much memory the server has:\n%s", text)
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return kib >> 10
}
