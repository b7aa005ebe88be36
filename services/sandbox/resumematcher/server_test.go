package resumematcher_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// listen starts a stand-in that leads back to a product on port 3000.
func listen(t *testing.T, address string) *resumematcher.Server {
	t.Helper()
	s, err := resumematcher.Start(t.Context(), address,
		resumematcher.Options{Secret: secret, PublicURL: "http://localhost:3000"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, address string) (got, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(request)
}

// A second stand-in takes another port, and a closed one answers no more, even while a request waits in it.
func TestServerListensAndCloses(t *testing.T) {
	t.Parallel()
	first := listen(t, "127.0.0.1:0")
	second := listen(t, first.URL()[len("http://"):])
	for _, s := range []*resumematcher.Server{first, second} {
		if g, err := get(t, s.URL()+"/api/v1/health"); err != nil || g.StatusCode != http.StatusOK {
			t.Errorf("%s: status %v, error %v; want 200", s.URL(), g, err)
		}
	}
	if first.URL() == second.URL() {
		t.Errorf("both stand-ins are at %s", first.URL())
	}
	first.SetTransport(resumematcher.Slow, "GET /dashboard")
	ended := make(chan error, 1)
	go func() {
		_, err := get(t, first.URL()+"/dashboard")
		ended <- err
	}()
	<-first.Arrived()
	if err := first.Close(context.Background()); err != nil {
		t.Errorf("close with a request that waits: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the request that waited: %v; want its answer", err)
	}
	if _, err := get(t, first.URL()+"/api/v1/health"); err == nil {
		t.Error("a closed stand-in answers")
	}
	if err := second.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := resumematcher.Start(t.Context(), "0.0.0.0:0", resumematcher.Options{Secret: secret},
		slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a stand-in started where other machines can reach it")
	}
}
