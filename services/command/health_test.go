package command

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

// Docker asks `credits health` whether the server on PORT answers. It needs no other setting, and prints nothing.
func TestHealthAsksTheServerOnPort(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s, want /healthz", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	check := func(state, port string, want error) {
		t.Helper()
		var out bytes.Buffer
		p := &Program{Stdout: &out, Stderr: &out, Variables: config.Variables{"APP_ENV": "production", "PORT": port}}
		if err := p.Run(t.Context(), []string{"health"}); !errors.Is(err, want) || out.Len() > 0 {
			t.Errorf("%s: error %v, output %q; want %v and no output", state, err, &out, want)
		}
	}
	check("a server that answers", u.Port(), nil)
	status = http.StatusServiceUnavailable
	check("a server that fails", u.Port(), ErrRed)
	check("no port", "none", ErrRed)
	server.Close()
	check("no server", u.Port(), ErrRed)
}
