package resumematcher_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/services/config"
)

const root = "../../.." // of the repository: CREDITS_PATH

// overlay is what the tests read of credits.yaml.
type overlay struct {
	Services map[string]struct {
		Build       string            `yaml:"build"`
		Ports       yaml.Node         `yaml:"ports"`
		Networks    []string          `yaml:"networks"`
		Environment map[string]string `yaml:"environment"`
		Volumes     yaml.Node         `yaml:"volumes"`
		ReadOnly    bool              `yaml:"read_only"`
		Tmpfs       []string          `yaml:"tmpfs"`
	} `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
}

// dotEnv is the .env of README.md, with STRIPE_WEBHOOK_SECRET, which the operator adds later.
func dotEnv(t *testing.T) map[string]string {
	t.Helper()
	_, text, _ := strings.Cut(read(t, "README.md"), "<<END\n")
	text, _, _ = strings.Cut(text, "   END\n")
	values := map[string]string{"CREDITS_PATH": root, "STRIPE_WEBHOOK_SECRET": "whsec_" + strings.Repeat("6b1f", 8)}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found {
			t.Fatalf("README.md: %q is not a setting", line)
		}
		switch value {
		case "$(openssl rand -hex 32)":
			value = strings.Repeat("9c41e07fb2d85a36", 4)
		default:
			value = strings.ReplaceAll(value, "...", "51Hq8fKdW2nXvB7cTzR4")
		}
		values[name] = value
	}
	return values
}

// load reads credits.yaml as Compose does for these settings. It fails the test if a required one is missing.
func load(t *testing.T, settings map[string]string) (o overlay) {
	t.Helper()
	text := variable.ReplaceAllStringFunc(read(t, "credits.yaml"), func(use string) string {
		part := variable.FindStringSubmatch(use)
		name, operator, word := part[1], part[2], part[3]
		switch value := settings[name]; {
		case value != "":
			return value
		case operator == ":-":
			return word
		case operator == ":?":
			t.Errorf("%s is missing in README.md's .env: %s", name, word)
		}
		return ""
	})
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

var variable = regexp.MustCompile(`\$\{(\w+)(:[-?])?([^}]*)\}`)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestResumeMatcherPublishesNoPort(t *testing.T) {
	t.Parallel()
	o := load(t, dotEnv(t))
	// Compose appends the ports of an overlay, unless their tag resets those of the file below.
	if ports := o.Services["resume-matcher"].Ports; ports.Tag != "!reset" || len(ports.Content) != 0 {
		t.Errorf("resume-matcher: ports have the tag %s and %d entries, want !reset and none", ports.Tag, len(ports.Content))
	}
	for name, service := range o.Services {
		for _, port := range service.Ports.Content {
			if !strings.HasPrefix(port.Value, "127.0.0.1:") {
				t.Errorf("%s publishes %s, want loopback only", name, port.Value)
			}
		}
	}
	for name, service := range o.Services {
		if member := slices.Contains(service.Networks, "credits-database"); member != strings.HasPrefix(name, "credits") {
			t.Errorf("%s is a member of the database's network: %v", name, member)
		}
	}
	if !o.Networks["credits-database"].Internal {
		t.Error("the database's network leads outside")
	}
}

// The server starts in production with what the overlay passes to it, under names that it knows.
func TestServerAcceptsTheOverlaysSettings(t *testing.T) {
	t.Parallel()
	settings := dotEnv(t)
	service := load(t, settings).Services["credits"]
	vars := config.Variables{"APP_ENV": "production", "PORT": "3000"} // from the Dockerfile
	maps.Copy(vars, service.Environment)
	c, err := config.Load(vars)
	if err != nil {
		t.Errorf("the server refuses its settings: %v", err)
	}
	if c.ResumeMatcher.Secret.Reveal() != settings["RESUME_MATCHER_SECRET"] {
		t.Error("the server has another secret than the add-on")
	}
	if service.ReadOnly && !slices.Contains(service.Tmpfs, "/tmp") {
		t.Error("exports have no directory for their files")
	}
	example := read(t, root+"/.env.example")
	for name := range service.Environment {
		if !strings.Contains(example, "\n#"+name+"=") {
			t.Errorf("%s is not a setting of .env.example", name)
		}
	}
}

// What both programs read from one .env must mean the same to both: Resume Matcher knows a DATABASE_URL too.
func TestVariablesOfTheOverlay(t *testing.T) {
	t.Parallel()
	known := read(t, root+"/.env.example")
	for _, use := range variable.FindAllStringSubmatch(read(t, "credits.yaml"), -1) {
		name := use[1]
		if !strings.HasPrefix(name, "CREDITS_") && !strings.Contains(known, "\n#"+name+"=") {
			t.Errorf("%s is neither a setting of the server nor the overlay's own", name)
		}
		if slices.Contains([]string{"DATABASE_URL", "PORT", "DATA_DIR", "LOG_LEVEL"}, name) {
			t.Errorf("%s is a setting of Resume Matcher, too", name)
		}
	}
}

func TestOverlayMountsTheAddOn(t *testing.T) {
	t.Parallel()
	o := load(t, dotEnv(t))
	matcher := o.Services["resume-matcher"]
	var mounts []struct {
		Source, Target string
		ReadOnly       bool `yaml:"read_only"`
	}
	if err := matcher.Volumes.Decode(&mounts); err != nil || len(mounts) != 1 {
		t.Fatalf("resume-matcher has %d mounts (%v), want 1", len(mounts), err)
	}
	mount := mounts[0]
	if mount.Target != matcher.Environment["PYTHONPATH"] || !mount.ReadOnly {
		t.Errorf("%s is mounted with read-only %v, want PYTHONPATH's %s, read-only", mount.Target, mount.ReadOnly,
			matcher.Environment["PYTHONPATH"])
	}
	for _, module := range []string{"sitecustomize.py", "credits_tenant.py"} {
		read(t, mount.Source+"/"+module)
	}
	if matcher.Environment["FRONTEND_BASE_URL"] != "http://localhost:3000" {
		t.Errorf("FRONTEND_BASE_URL = %s, want Resume Matcher's own", matcher.Environment["FRONTEND_BASE_URL"])
	}
	read(t, o.Services["credits"].Build+"/Dockerfile")
}
