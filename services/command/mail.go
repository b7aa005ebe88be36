package command

import (
	"context"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/sandbox"
)

// MailServer returns the operator's mail server or, in the sandbox, the stand-in that it starts; nil without either.
func (p *Program) MailServer(ctx context.Context) (*mail.Server, error) {
	if p.Config.Mode == config.Sandbox {
		cfg, server, err := sandbox.StartMailbox(ctx, p.Config, p.Log)
		if err != nil {
			return nil, err
		}
		p.Config = cfg
		p.OnClose(server.Close)
	}
	if p.Config.SMTPURL == "" {
		return nil, nil
	}
	return mail.NewServer(p.Config.SMTPURL.Reveal())
}

// loadLegal reads the legal texts.
func (p *Program) loadLegal() (legal.Library, error) {
	return legal.Load(p.Config.LegalDir, legal.Seller{Name: p.Config.SellerName, Address: p.Config.SellerAddress,
		Email: p.Config.SupportEmail, AppURL: p.Config.AppURL})
}
