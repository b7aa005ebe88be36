package command

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/resume-matcher/credits/services/config"
)

// healthTimeout bounds the answer of the server; Docker waits longer.
const healthTimeout = 2 * time.Second

// checkHealth is `credits health`: it asks the server on this machine whether it answers, and says nothing else.
// Errors: ErrRed.
func checkHealth(ctx context.Context, p *Program, args []string) error {
	if err := newFlags("health", "command.health.explanation").parse(ctx, p, args); err != nil {
		return err
	}
	cfg, _ := config.Load(p.Variables) // PORT is all it needs; a wrong one is answered by no server
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	address := fmt.Sprintf("http://127.0.0.1:%d/healthz", cfg.Port)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return ErrRed
	}
	answer, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return ErrRed
	}
	if answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
		return ErrRed
	}
	return nil
}
