package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/webhook"
)

// serve is `credits serve`.
func serve(ctx context.Context, p *Program, args []string) error {
	if err := newFlags("serve", "command.serve.explanation").parse(ctx, p, args); err != nil {
		return err
	}
	p.serves = true
	err := p.configure()
	if err == nil {
		p.Legal, err = p.loadLegal()
	}
	if err != nil {
		return err
	}
	if err := p.observe(ctx); err != nil {
		return err
	}
	return p.Serve(ctx, p)
}

// Announce says that the server starts to answer: as a line of the log and, to a terminal, in words. A log in JSON is
// read by programs, which get no other line.
func (p *Program) Announce(ctx context.Context) {
	p.announced = true
	p.Log.InfoContext(ctx, "started", "version", p.Version, "commit", p.Commit, "mode", p.Config.Mode,
		"port", p.Config.Port)
	if p.Config.LogFormat == "json" {
		return
	}
	lines := []string{"", "  Resume Matcher Credits"}
	add := func(key string, args values) { lines = append(lines, "  "+say(ctx, key, args)) }
	add("command.serve.open", values{"url": p.Config.AppURL})
	if p.Config.LocalSignIn {
		add("command.serve.users", nil)
	}
	if p.Config.Mode == config.Test {
		add("command.serve.test", nil)
		if p.Config.StripeWebhookSecret == "" {
			add("command.serve.listen", values{"url": p.Config.AppURL + webhook.Path})
		}
	}
	if p.Config.Mode == config.Sandbox {
		add("command.serve.money", nil)
		add("command.serve.refunds", values{"url": p.Config.Dashboard()})
	}
	if p.Config.Mailbox != "" {
		add("command.serve.mailbox", values{"url": p.Config.Mailbox})
	}
	if control := p.Config.ResumeMatcher.Control; control != "" {
		add("command.serve.control", values{"url": control})
	} else if matcher := p.Config.ResumeMatcher.URL; matcher != "" {
		add("command.serve.matcher", values{"url": matcher})
	}
	if p.DataDir != "" {
		add("command.serve.data", values{"dir": p.DataDir})
	}
	add("command.serve.stop", nil)
	for _, line := range append(lines, "") {
		fmt.Fprintln(p.Stdout, line)
	}
}

// migrate is `credits migrate`: it migrates or, with --plan, lists the migrations that it would apply.
func migrate(ctx context.Context, p *Program, args []string) error {
	set := newFlags("migrate", "command.migrate.explanation")
	plan := set.Bool("plan", false, say(ctx, "command.migrate.plan", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	if err := p.configure(); err != nil {
		return err
	}
	if *plan {
		return p.planMigration(ctx)
	}
	if err := p.migrateDatabase(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.Stdout, say(ctx, "command.migrate.done", nil))
	return err
}

func (p *Program) planMigration(ctx context.Context) error {
	if err := p.startDatabase(ctx); err != nil {
		return err
	}
	pending, err := postgres.Pending(ctx, p.Config.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	text := say(ctx, "command.migrate.done", nil)
	if len(pending) > 0 {
		text = say(ctx, "command.migrate.pending", nil) + "\n" + strings.Join(pending, "\n")
	}
	_, err = fmt.Fprintln(p.Stdout, text)
	return err
}
