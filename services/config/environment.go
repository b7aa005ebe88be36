package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Variables are the environment's variables by name.
type Variables map[string]string

// envFile holds settings in development. As a key of Variables it reports to Load that the file is invalid: no variable
// has that name.
const envFile = ".env"

// Environment returns the variables of environ, NAME=value each, and those of .env in the working directory that
// environ does not set. Production reads no file. Load reports an invalid file.
func Environment(environ []string) Variables {
	vars := Variables{}
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); value != "" {
			vars[name] = value
		}
	}
	if strings.TrimSpace(vars["APP_ENV"]) == "production" {
		return vars
	}
	file, err := godotenv.Read(envFile)
	if errors.Is(err, fs.ErrNotExist) { // as usual
		return vars
	}
	if err != nil { // the error may quote a secret
		file = map[string]string{envFile: "unreadable"}
	}
	for name, value := range file {
		if vars[name] == "" {
			vars[name] = value
		}
	}
	return vars
}

// Load reads the configuration from vars.
// Errors: Problems, with every invalid variable and never a value. The configuration then has the valid settings.
func Load(vars Variables) (Config, error) {
	var c Config
	fields, err := env.GetFieldParams(&c)
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	values := map[string]string{}
	for _, f := range fields {
		if v := strings.TrimSpace(vars[f.Key]); v != "" {
			values[f.Key] = v
		}
	}
	p := &problems{}
	if vars[envFile] != "" {
		p.add(envFile, "cannot be read: each of its lines must be NAME=value, or a comment after #")
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: values}); err != nil {
		p.unreadable(err)
	}
	c.derive()
	c.check(p)
	c.checkSandbox(p, values)
	c.checkNames(p, vars, fields)
	return c, p.err()
}

// checkNames refuses unknown variables that resemble ours, in any case: a mistyped STRIPE_SECRET_KEY would start the
// sandbox. Other programs use names such as port and AZURE_CLIENT_ID too, so these are refused only in the sandbox.
func (c *Config) checkNames(p *problems, vars Variables, fields []env.FieldParams) {
	var known []string
	for _, f := range fields {
		known = append(known, f.Key)
	}
	for name, value := range vars {
		upper := strings.ToUpper(name)
		ours := strings.HasPrefix(upper, "STRIPE_") || strings.HasPrefix(upper, "OIDC_") ||
			strings.HasPrefix(upper, "RESUME_MATCHER_")
		misleads := strings.HasSuffix(upper, "_CLIENT_ID") || strings.HasSuffix(upper, "_CLIENT_SECRET") ||
			slices.Contains(known, upper)
		if strings.TrimSpace(value) == "" || slices.Contains(known, name) || !ours && (!misleads || c.Mode != Sandbox) {
			continue
		}
		unknown := Problem{Name: name, Kind: UnknownName, Meant: nearest(upper, known),
			Advice: "is not a setting of this program: unset it"}
		if unknown.Meant != "" {
			unknown.Advice = "is not a setting of this program: did you mean " + unknown.Meant + "?"
		}
		p.all = append(p.all, unknown)
	}
}

// nearest returns the known name that differs from name in one run of at most three letters, or "".
func nearest(name string, known []string) string {
	const few = 3
	best, differs := "", few+1
	for _, k := range known {
		longest := max(len(name), len(k))
		if n := longest - min(same(name, k), min(len(name), len(k))); n < differs {
			best, differs = k, n
		}
	}
	return best
}

// same counts the bytes that two names share at their beginning and at their end.
func same(a, b string) (n int) {
	short := min(len(a), len(b))
	for n < short && a[n] == b[n] {
		n++
	}
	for end := 1; end <= short && a[len(a)-end] == b[len(b)-end]; end++ {
		n++
	}
	return n
}
