package resumematcher_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// upstream are the two forms in which Resume Matcher's docker-compose.yml publishes ports.
var upstream = map[string]string{
	"both ports": `
services:
  resume-matcher:
    image: resume-matcher
    ports: ["${FRONTEND_PORT:-3000}:3000", "${BACKEND_PORT:-8000}:8000"]
    environment: [NODE_ENV=production, "FRONTEND_PORT=${FRONTEND_PORT:-3000}", "BACKEND_PORT=${BACKEND_PORT:-8000}"]
    volumes: ["resume-data:/app/backend/data"]
volumes: {resume-data: {}}`,
	"one port": `
services:
  resume-matcher:
    image: resume-matcher
    ports: ["${PORT:-3000}:3000"]
    environment: {LLM_API_KEY: "${LLM_API_KEY:-}", FRONTEND_BASE_URL: "https://resume.example.com"}
    volumes: ["resume-data:/app/backend/data"]
volumes: {resume-data: {}}`,
}

// merged is what the test reads of Compose's own merge.
type merged struct {
	Services map[string]struct {
		Ports       []struct{ Published string }
		Environment map[string]string
		Volumes     []struct{ Target string }
	}
}

// Docker Compose itself merges the overlay into Resume Matcher's file.
func TestComposeMergesTheOverlay(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "docker", "compose", "version").Run(); err != nil {
		// make test needs no Docker. overlay_test.go checks the same file everywhere; this test adds Compose's own merge.
		t.Skip("docker compose is not installed")
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range upstream {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "docker-compose.yml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "docker", "compose", "config", "--format", "json")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "FRONTEND_PORT=8080")
		for name, value := range dotEnv(t) {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(cmd.Env, "CREDITS_PATH="+filepath.Join(here, root),
			"COMPOSE_FILE=docker-compose.yml"+string(os.PathListSeparator)+filepath.Join(here, "credits.yaml"))
		var got merged
		if out, err := cmd.Output(); err != nil || json.Unmarshal(out, &got) != nil {
			t.Fatalf("%s: docker compose config: %v: %s", form, err, out)
		}
		matcher := got.Services["resume-matcher"]
		if len(matcher.Ports) != 0 || len(matcher.Volumes) != 2 || len(got.Services["credits"].Ports) != 1 {
			t.Errorf("%s: %+v, want a volume more and no port", form, matcher)
		}
		for name, want := range map[string]string{"FRONTEND_PORT": "3000", "FRONTEND_BASE_URL": "http://localhost:3000"} {
			if matcher.Environment[name] != want {
				t.Errorf("%s: %s = %s, want %s", form, name, matcher.Environment[name], want)
			}
		}
	}
}

func TestNginxAcceptsTheLocation(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nginx"); err != nil {
		// make test needs no nginx, and neither does the server: nginx.conf is for operators who have it.
		t.Skip("nginx is not installed")
	}
	folder := t.TempDir()
	location, err := filepath.Abs("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("FOLDER", folder, "LOCATION", location).Replace(`
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
    server { listen unix:FOLDER/socket; include LOCATION; }
}`)
	if err := os.WriteFile(filepath.Join(folder, "main.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "nginx", "-t", "-p", ".", "-c", "main.conf")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("nginx refuses nginx.conf: %v\n%s", err, out)
	}
}
