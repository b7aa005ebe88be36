package appearance

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The stand-ins' colors are the product's tokens.
func TestColorsAreTheProducts(t *testing.T) {
	t.Parallel()
	tokens, err := os.ReadFile("../../../tailwind.config.js")
	if err != nil {
		t.Fatal(err)
	}
	css, err := files.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	colors := regexp.MustCompile(`#[0-9a-f]{3,6}\b`).FindAllString(string(css), -1)
	if len(colors) < 12 {
		t.Fatalf("colors = %v, want all tokens", colors)
	}
	for _, color := range colors {
		if len(color) == 4 { // #fff
			color += color[1:]
		}
		if !strings.Contains(strings.ToLower(string(tokens)), `"`+color+`"`) {
			t.Errorf("%s is not a token in tailwind.config.js", color)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{id}/html", http.NotFound) // as the mailbox has
	Register(mux)
	for name, kind := range map[string]string{"page.css": "text/css", "space-grotesk.woff2": "font/woff2"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, filesPath+name, nil))
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, %s, %d bytes; want 200 and %s", name, w.Code, w.Header().Get("Content-Type"),
				w.Body.Len(), kind)
		}
	}
}
