// Package ops_test checks the files with which an operator deploys and watches the server.
package ops_test

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/services/config"
)

// filledIn are the values that an operator adds to each of the deployments.
var filledIn = map[string]string{
	"SESSION_SECRET": strings.Repeat("9c41e07fb2d85a36", 4), "STRIPE_SECRET_KEY": "sk_" + "live_51Hq8fKdW2nXvB7cTzR4",
	"STRIPE_PUBLISHABLE_KEY": "pk_" + "live_51Hq8fKdW2nXvB7",
	"STRIPE_WEBHOOK_SECRET":  "whsec_" + strings.Repeat("6b1f", 8),
	"GOOGLE_CLIENT_ID":       "4711", "GOOGLE_CLIENT_SECRET": "4712", "ADMIN_EMAILS": "admin@example.com",
	"METRICS_TOKEN": strings.Repeat("5d0e77a1c9b24f38", 2), "SMTP_URL": "smtps://credits:" + "4713@mail.example.com:465",
	"MAIL_FROM": "credits@example.com", "SUPPORT_EMAIL": "help@example.com", "SELLER_NAME": "Example GmbH",
	"SELLER_ADDRESS": "Beispielweg 1, 12345 Beispielstadt", "IMPRINT_URL": "https://example.com/imprint",
	"TERMS_URL": "https://example.com/terms", "PRIVACY_URL": "https://example.com/privacy",
}

// checkSettings starts the configuration of a production server with a deployment's settings and what is filled in.
func checkSettings(t *testing.T, settings map[string]string) config.Config {
	t.Helper()
	example := read(t, "../../.env.example")
	for name := range settings {
		if !strings.Contains(example, "\n#"+name+"=") {
			t.Errorf("%s is not a setting of .env.example", name)
		}
	}
	vars := config.Variables{"APP_ENV": "production", "PORT": "3000"} // from the Dockerfile
	maps.Copy(vars, filledIn)
	maps.Copy(vars, settings)
	c, err := config.Load(vars)
	if err != nil {
		t.Errorf("the server refuses the settings: %v", err)
	}
	return c
}

// stopTime is how long a server may take to stop: its drain, 30 s for requests to Resume Matcher, 12 s for the others.
func stopTime(c config.Config) time.Duration { return c.Drain + 42*time.Second }

func TestRenderBlueprint(t *testing.T) {
	t.Parallel()
	var file struct {
		Services []struct {
			HealthCheckPath         string `yaml:"healthCheckPath"`
			DockerfilePath          string `yaml:"dockerfilePath"`
			MaxShutdownDelaySeconds int    `yaml:"maxShutdownDelaySeconds"`
			EnvVars                 []struct {
				Key, Value    string
				Sync          *bool
				GenerateValue bool                            `yaml:"generateValue"`
				FromDatabase  struct{ Name, Property string } `yaml:"fromDatabase"`
			} `yaml:"envVars"`
		}
		Databases []struct {
			Name        string
			IPAllowList []string `yaml:"ipAllowList"`
		}
	}
	decode(t, read(t, "render.yaml"), &file)
	web, settings := file.Services[0], map[string]string{}
	for _, v := range web.EnvVars {
		switch {
		case v.FromDatabase.Name == file.Databases[0].Name:
			settings[v.Key] = "postgres://credits@dpg-4711-a/credits"
		case v.Key == "APP_URL":
			settings[v.Key] = "https://credits.onrender.com"
		case v.GenerateValue || v.Sync != nil:
			settings[v.Key] = filledIn[v.Key]
		default:
			settings[v.Key] = v.Value
		}
	}
	c := checkSettings(t, settings)
	if len(c.TrustedProxies) < 20 || slices.Contains(c.TrustedProxies, "") {
		t.Errorf("%d trusted proxies, want Render's and Cloudflare's", len(c.TrustedProxies))
	}
	if got := time.Duration(web.MaxShutdownDelaySeconds) * time.Second; got < stopTime(c) {
		t.Errorf("Render kills the server after %s, want at least %s", got, stopTime(c))
	}
	if web.HealthCheckPath != "/readyz" || len(file.Databases[0].IPAllowList) != 0 {
		t.Errorf("health check %s, database open to %v; want /readyz and none", web.HealthCheckPath,
			file.Databases[0].IPAllowList)
	}
	read(t, "../../"+web.DockerfilePath)
}

// composeVariable is a variable that Compose replaces.
var composeVariable = regexp.MustCompile(`\$\{(\w+)(?:(:[-?])([^}]*))?\}`)

func TestComposeFile(t *testing.T) {
	t.Parallel()
	text := read(t, "compose.yaml")
	dotEnv := regexp.MustCompile(`(?m)^#   ([A-Z_]+)=`).FindAllStringSubmatch(text, -1)
	own := map[string]string{"CREDITS_HOST": "credits.example.com", "CREDITS_DATABASE_PASSWORD": "0123456789abcdef"}
	settings := map[string]string{}
	for _, line := range dotEnv {
		if own[line[1]] == "" {
			settings[line[1]] = filledIn[line[1]]
		}
	}
	var file struct {
		Services map[string]struct {
			Environment     map[string]string
			Ports, Networks []string
			StopGracePeriod string `yaml:"stop_grace_period"`
			ReadOnly        bool   `yaml:"read_only"`
			Tmpfs           []string
		}
		Networks map[string]struct {
			Internal bool
			IPAM     struct{ Config []struct{ Subnet string } }
		}
	}
	decode(t, composeVariable.ReplaceAllStringFunc(text, func(use string) string {
		part := composeVariable.FindStringSubmatch(use)
		if value := own[part[1]]; value != "" || part[2] != ":-" {
			return value
		}
		return part[3]
	}), &file)
	server := file.Services["credits"]
	maps.Copy(settings, server.Environment)
	c := checkSettings(t, settings)
	front := file.Networks["front"].IPAM.Config
	if len(front) != 1 || !slices.Equal(c.TrustedProxies, []string{front[0].Subnet}) {
		t.Errorf("the server trusts %v, want Caddy's network %v", c.TrustedProxies, front)
	}
	if got, err := time.ParseDuration(server.StopGracePeriod); err != nil || got < stopTime(c) {
		t.Errorf("Docker kills the server after %s, want at least %s", got, stopTime(c))
	}
	if !server.ReadOnly || !slices.Contains(server.Tmpfs, "/tmp") || !file.Networks["database"].Internal {
		t.Error("want a read-only server with /tmp for exports, and a database that has no way out")
	}
	for name, service := range file.Services {
		if public := len(service.Ports) > 0; public != (name == "caddy") {
			t.Errorf("%s publishes %v, want ports of Caddy only", name, service.Ports)
		}
		if slices.Contains(service.Networks, "database") != (name != "caddy") {
			t.Errorf("%s is in the networks %v, want the database's without Caddy", name, service.Networks)
		}
	}
}

// object is what the test reads of a Kubernetes object.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Data       map[string]string
	Spec       yaml.Node
}

// pods is the specification of a Deployment's pods.
type pods struct {
	Replicas int
	Template struct {
		Metadata struct{ Labels map[string]string }
		Spec     struct {
			TerminationGracePeriodSeconds int              `yaml:"terminationGracePeriodSeconds"`
			SecurityContext               securityContext  `yaml:"securityContext"`
			InitContainers                []containerInPod `yaml:"initContainers"`
			Containers                    []containerInPod
		}
	}
}

type securityContext struct {
	RunAsNonRoot             bool  `yaml:"runAsNonRoot"`
	RunAsUser                int   `yaml:"runAsUser"`
	ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
	AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
	Capabilities             struct{ Drop []string }
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

type containerInPod struct {
	Name            string
	Image           string
	Args            []string
	SecurityContext securityContext `yaml:"securityContext"`
	LivenessProbe   probe           `yaml:"livenessProbe"`
	ReadinessProbe  probe           `yaml:"readinessProbe"`
	VolumeMounts    []struct {
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

func TestKubernetesObjects(t *testing.T) {
	t.Parallel()
	text := read(t, "kubernetes/credits.yaml")
	objects := map[string]object{}
	for documents := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o object
		if err := documents.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		objects[o.Kind] = o
	}
	settings := maps.Clone(filledIn)
	for name, value := range objects["ConfigMap"].Data {
		settings[name] = cmp.Or(value, filledIn[name])
	}
	settings["DATABASE_URL"] = "postgres://credits@database.example.com/credits"
	settings["DATABASE_POOL_URL"] = "postgres://server@pool.example.com/credits"
	c := checkSettings(t, settings)
	var deployment pods
	node := objects["Deployment"].Spec
	if err := node.Decode(&deployment); err != nil {
		t.Fatal(err)
	}
	pod := deployment.Template.Spec
	if got := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second; got < stopTime(c) {
		t.Errorf("Kubernetes kills the server after %s, want at least %s", got, stopTime(c))
	}
	if !pod.SecurityContext.RunAsNonRoot || !strings.Contains(read(t, "../../Dockerfile"), "\nUSER 65532:65532\n") ||
		pod.SecurityContext.RunAsUser != 65532 {
		t.Errorf("the pod runs as %d, want the image's user 65532", pod.SecurityContext.RunAsUser)
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		s := c.SecurityContext
		if !s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			!slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || c.Image != pod.Containers[0].Image {
			t.Errorf("%s: %+v of %s; want no rights, and one image", c.Name, s, c.Image)
		}
	}
	server := pod.Containers[0]
	if server.LivenessProbe.HTTPGet.Path != "/healthz" || server.ReadinessProbe.HTTPGet.Path != "/readyz" ||
		server.VolumeMounts[0].MountPath != "/tmp" || !slices.Equal(pod.InitContainers[0].Args, []string{"migrate"}) {
		t.Errorf("%+v; want /healthz for liveness, /readyz for readiness, and /tmp for exports", server)
	}
	for _, kind := range []string{"PodDisruptionBudget", "Service", "Ingress", "NetworkPolicy"} {
		if o := objects[kind]; o.Metadata.Name != "credits" {
			t.Errorf("no %s for the pods", kind)
		}
	}
	if monitor := read(t, "kubernetes/monitor.yaml"); !strings.Contains(monitor, "key: METRICS_TOKEN") {
		t.Error("Prometheus gets no token")
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
