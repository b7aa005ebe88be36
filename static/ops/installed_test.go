package ops_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// run runs a program in a directory, and fails the test with its output if it fails. A program that is not installed
// skips the test: make test needs none of these.
func run(t *testing.T, folder, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// systemd accepts the unit, and rates its exposure at 3.0 of 10 or less.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	t.Parallel()
	program, err := os.Executable() // /usr/local/bin/credits is not there
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, filepath.Join(folder, "credits.service"),
		strings.Replace(read(t, "credits.service"), "ExecStart=/usr/local/bin/credits", "ExecStart="+program, 1))
	run(t, folder, "systemd-analyze", "verify", "--man=no", "./credits.service")
	run(t, folder, "systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", "./credits.service")
}

func TestCaddyAcceptsTheCaddyfile(t *testing.T) {
	t.Setenv("CREDITS_HOST", "credits.example.com")
	t.Setenv("HOME", t.TempDir()) // Caddy keeps its state there
	run(t, ".", "caddy", "validate", "--adapter", "caddyfile", "--config", "Caddyfile")
}

// nginx accepts the file. Certificates and privileged ports are left out.
func TestNginxAcceptsTheConfiguration(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text := regexp.MustCompile(`(?m)^ *(ssl_|listen ).*\n`).ReplaceAllString(read(t, "nginx.conf"), "")
	listen := 0
	text = regexp.MustCompile(`server \{\n`).ReplaceAllStringFunc(text, func(open string) string {
		listen++
		return open + "listen unix:" + filepath.Join(folder, "socket") + strings.Repeat("x", listen) + ";\n"
	})
	text = strings.ReplaceAll(text, "/var/log/nginx", folder)
	write(t, filepath.Join(folder, "credits.conf"), text)
	write(t, filepath.Join(folder, "main.conf"), strings.ReplaceAll(`
pid FOLDER/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body; # and so on: nginx makes these directories, elsewhere only as root
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    include FOLDER/credits.conf;
}`, "FOLDER", folder))
	run(t, folder, "nginx", "-t", "-p", ".", "-c", "main.conf")
}

// Docker Compose itself reads the file.
func TestComposeAcceptsTheFile(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "docker", "compose", "version").Run(); err != nil {
		t.Skip("docker compose is not installed") // TestComposeFile checks the same file everywhere
	}
	folder := t.TempDir()
	write(t, filepath.Join(folder, "compose.yaml"), read(t, "compose.yaml"))
	write(t, filepath.Join(folder, ".env"), "CREDITS_HOST=credits.example.com\nCREDITS_DATABASE_PASSWORD=x\n")
	run(t, folder, "docker", "compose", "config", "--quiet")
}
