package ops_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
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

// nginxFolder returns a directory with main.conf and with nginx.conf in front of a server at upstream, without
// certificates and privileged ports: the server with the location listens at the Unix socket front.
func nginxFolder(t *testing.T, upstream string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	text := regexp.MustCompile(`(?m)^ *(ssl_|listen ).*\n`).ReplaceAllString(read(t, "nginx.conf"), "")
	for _, socket := range []string{"redirect", "front"} {
		text = strings.Replace(text, "server {\n", "server { listen unix:"+filepath.Join(folder, socket)+";\n", 1)
	}
	text = strings.NewReplacer("/var/log/nginx", folder, "127.0.0.1:3000", upstream).Replace(text)
	write(t, filepath.Join(folder, "credits.conf"), text)
	write(t, filepath.Join(folder, "main.conf"), strings.ReplaceAll(`
daemon off;
master_process off;
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
	return folder
}

// nginx accepts the file.
func TestNginxAcceptsTheConfiguration(t *testing.T) {
	t.Parallel()
	run(t, nginxFolder(t, "127.0.0.1:3000"), "nginx", "-t", "-p", ".", "-c", "main.conf")
}

// nginx passes on the largest cookies that we set and get, and logs neither them nor the query string.
func TestNginxPassesOurCookies(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	const policies, id = 2000, "req_of_the_test" // bytes of our other headers
	product := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-ID", id)
		w.Header().Set("Permissions-Policy", strings.Repeat("p", policies))
		http.SetCookie(w, &http.Cookie{Name: "draft", Value: strings.Repeat("x", 4096-len("draft"))})
		fmt.Fprint(w, len(r.Header.Get("Cookie")))
	}))
	t.Cleanup(product.Close)
	folder := nginxFolder(t, product.Listener.Addr().String())
	cmd := exec.CommandContext(t.Context(), program, "-p", folder, "-c", "main.conf")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (conn net.Conn,
		err error) {
		for ctx.Err() == nil { // nginx is starting
			if conn, err = new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, "front")); err == nil {
				break
			}
		}
		return conn, err
	}}, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://credits.example.com/en/admin?q=ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	const cookies = 12 << 10
	req.Header.Set("Cookie", "flow="+strings.Repeat("y", cookies-len("flow=")))
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || string(body) != fmt.Sprint(cookies) {
		t.Errorf("status %d, %.100q (%v), want 200 and all cookies", answer.StatusCode, body, err)
	}
	client.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil { // by then it has logged the request
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("nginx: %v", err)
	}
	log := read(t, filepath.Join(folder, "access.log"))
	if !strings.Contains(log, `"GET /en/admin" 200 `) || !strings.Contains(log, id) || strings.Contains(log, "ada") {
		t.Errorf("the log has %q, want the path and the request's id alone", log)
	}
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
