package config_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

func TestExplainDir(t *testing.T) {
	cfg := config.Config{DataDir: "/srv/credits"}
	for name, c := range map[string]struct {
		cause syscall.Errno
		want  string // "" leaves the error as it is
	}{
		"a full disk":            {syscall.ENOSPC, "free 200 MB for /srv/credits"},
		"a used-up quota":        {syscall.EDQUOT, "free 200 MB for /srv/credits"},
		"a read-only directory":  {syscall.EROFS, "set DATA_DIR to a directory that you can write to"},
		"a directory of another": {syscall.EACCES, "run as the owner of /srv/credits"},
		"anything else":          {syscall.EIO, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := &fs.PathError{Op: "mkdir", Path: "/srv/credits", Err: c.cause}
			got := cfg.ExplainDir(err)
			if !errors.Is(got, c.cause) {
				t.Errorf("ExplainDir lost its cause: %v", got)
			}
			if c.want == "" {
				if got.Error() != err.Error() {
					t.Errorf("ExplainDir: got %q, want %q", got, err)
				}
				return
			}
			if text := got.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, "set DATA_DIR") ||
				strings.Contains(text, "\n") {
				t.Errorf("ExplainDir: got %q, want one line with %q and the setting", text, c.want)
			}
		})
	}
}

func TestExplainPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, inUse := net.Listen("tcp", taken.Addr().String())
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a port in use": {inUse, "port 3000 is in use"},
		"a port of root": {&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)},
			"only root may use port 3000"},
		"any other obstacle": {errors.New("no such network"), "no such network"},
	} {
		t.Run(name, func(t *testing.T) {
			text := config.Config{Port: 3000}.ExplainPort(c.err).Error()
			if !strings.Contains(text, c.want) || !strings.Contains(text, "set PORT") {
				t.Errorf("ExplainPort: got %q, want %q and the setting", text, c.want)
			}
		})
	}
}
