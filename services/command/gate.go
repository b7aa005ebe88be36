package command

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/spend"
)

// Gate returns the gate in front of Resume Matcher; nil without RESUME_MATCHER_URL.
func (p *Program) Gate(ctx context.Context, spending *spend.Service, limits *limit.Limiter) (*gate.Service, error) {
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
	p.OnClose(func(context.Context) error {
		upstream.Close()
		return nil
	})
	return &gate.Service{
		DB: spending.DB, Spend: spending, Limits: limits, Upstream: upstream, Routes: rules, Timeout: settings.Timeout(),
	}, nil
}
