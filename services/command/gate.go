package command

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/sandbox"
	"github.com/resume-matcher/credits/services/spend"
)

// startResumeMatcher starts the stand-in, in the sandbox without RESUME_MATCHER_URL.
func (p *Program) startResumeMatcher(ctx context.Context) error {
	if p.Config.Mode != config.Sandbox || p.Config.ResumeMatcher.Set() {
		return nil
	}
	cfg, server, err := sandbox.StartResumeMatcher(ctx, p.Config, p.Log)
	if err != nil {
		return err
	}
	p.Config = cfg
	p.OnClose(server.Close)
	return nil
}

// Gate returns the gate in front of Resume Matcher or, in the sandbox without RESUME_MATCHER_URL, in front of the
// stand-in that it starts; nil without either.
func (p *Program) Gate(ctx context.Context, spending *spend.Service, limits *limit.Limiter) (*gate.Service, error) {
	if err := p.startResumeMatcher(ctx); err != nil {
		return nil, err
	}
	settings := p.Config.ResumeMatcher
	if !settings.Set() {
		return nil, nil
	}
	table, err := settings.Table()
	if err != nil {
		return nil, fmt.Errorf("read RESUME_MATCHER_ROUTES: %w", err)
	}
	rules, err := gate.ParseRoutes(ctx, spending.DB, table)
	if err != nil {
		return nil, fmt.Errorf("RESUME_MATCHER_ROUTES: %w", err)
	}
	upstream, err := gate.NewUpstream(settings.URL, settings.APIURL, settings.Secret.Reveal())
	if err != nil {
		return nil, err
	}
	upstream.Identity = rules.Identity
	p.OnClose(func(context.Context) error {
		upstream.Close()
		return nil
	})
	service := &gate.Service{
		DB: spending.DB, Spend: spending, Limits: limits, Upstream: upstream, Routes: rules, Timeout: settings.Timeout(),
		Log: p.Log,
	}
	if settings.Secret != "" {
		service.AddOn = gate.NewAddOn(upstream, time.Now, p.Log)
	}
	return service, nil
}
