package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/outbound"
	"github.com/resume-matcher/credits/services/seal"
)

// Outbound returns the service of the webhook endpoints.
func (p *Program) Outbound(db *gorm.DB, secrets seal.Secrets) *outbound.Service {
	networks := outbound.Networks{Loopback: !p.Config.Strict(), Private: p.Config.WebhookPrivate}
	return outbound.New(db, secrets, networks, p.Log)
}

// webhooks opens the service on the database that open returns.
func (p *Program) webhooks(ctx context.Context,
	open func(context.Context) (*gorm.DB, error)) (*outbound.Service, error) {
	db, err := open(ctx)
	if err != nil {
		return nil, err
	}
	secrets, err := p.SessionSecrets()
	if err != nil {
		return nil, err
	}
	return p.Outbound(db, secrets), nil
}

// listWebhooks is `credits webhooks list`.
func listWebhooks(ctx context.Context, p *Program, args []string) error {
	if err := newFlags("webhooks list", "command.webhooks.list.explanation").parse(ctx, p, args); err != nil {
		return err
	}
	webhooks, err := p.webhooks(ctx, p.read)
	if err != nil {
		return err
	}
	all, err := webhooks.List(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tURL\tEVENTS\tLOW\tPENDING\tFAILED\tCREATED\tDISABLED")
	for _, e := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", e.ID, e.URL, strings.Join(e.Events.Strings(), ","),
			e.LowThreshold, e.Pending, e.Failed, minute(&e.CreatedAt), minute(e.DisabledAt))
	}
	return table.Flush()
}

// addWebhook is `credits webhooks add`. Only the secret goes to stdout, so that a script can read it.
func addWebhook(ctx context.Context, p *Program, args []string) error {
	set := newFlags("webhooks add", "command.webhooks.add.explanation")
	url := set.String("url", "", say(ctx, "command.webhooks.add.url", nil))
	events := set.String("events", "", say(ctx, "command.webhooks.add.events", nil))
	low := set.Int64("low", int64(outbound.DefaultThreshold), say(ctx, "command.webhooks.add.low", nil))
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	if *url == "" {
		return UsageError(say(ctx, "command.webhooks.add.incomplete", nil))
	}
	request := outbound.Request{URL: *url, LowThreshold: models.Credits(*low)}
	if *events == "" {
		request.Events = models.AllWebhookEvents().Strings()
	}
	for word := range strings.SplitSeq(*events, ",") {
		if word = strings.TrimSpace(word); word != "" {
			request.Events = append(request.Events, word)
		}
	}
	webhooks, err := p.webhooks(ctx, p.open)
	if err != nil {
		return err
	}
	endpoint, secret, err := webhooks.Add(ctx, request)
	switch f := fault.Of(err); {
	case f != nil && f.Code == fault.Invalid:
		return UsageError(say(ctx, "command.webhooks.add.invalid",
			values{"flag": strings.ReplaceAll(f.Field, "low_threshold", "low"), "problem": problemText(ctx, f)}))
	case f != nil:
		return errors.New(problemText(ctx, f))
	case err != nil:
		return err
	}
	return p.printSecret(ctx, endpoint.ID, secret, "command.webhooks.add.done")
}

// problemText is the text of a fault that has a problem.
func problemText(ctx context.Context, f *fault.Error) string {
	return say(ctx, "errors.problem."+string(f.Problem), nil)
}

// printSecret prints a new secret, and on stderr what has been done.
func (p *Program) printSecret(ctx context.Context, endpoint uuid.UUID, secret, done string) error {
	id := values{"id": endpoint.String()}
	if _, err := fmt.Fprintln(p.Stdout, secret); err != nil {
		return fmt.Errorf("%s: %w", say(ctx, "command.webhooks.add.lost", id), err)
	}
	fmt.Fprintln(p.Stderr, say(ctx, done, id))
	return nil
}

// withEndpoint parses the flags and the id of an endpoint, and runs fn.
func withEndpoint(ctx context.Context, p *Program, set *flags, args []string,
	fn func(webhooks *outbound.Service, id uuid.UUID) error) error {
	set.operands = 1
	if err := set.parse(ctx, p, args); err != nil {
		return err
	}
	unknown := errors.New(say(ctx, "command.webhooks.unknown", nil))
	id, err := uuid.Parse(set.Arg(0))
	if err != nil {
		return unknown
	}
	webhooks, err := p.webhooks(ctx, p.open)
	if err != nil {
		return err
	}
	if err = fn(webhooks, id); fault.Is(err, fault.NotFound) {
		return unknown
	}
	return err
}

// rotateWebhook is `credits webhooks rotate`. Only the secret goes to stdout.
func rotateWebhook(ctx context.Context, p *Program, args []string) error {
	set := newFlags("webhooks rotate ID", "command.webhooks.rotate.explanation")
	return withEndpoint(ctx, p, set, args, func(webhooks *outbound.Service, id uuid.UUID) error {
		secret, err := webhooks.Rotate(ctx, id, "")
		if err != nil {
			return err
		}
		return p.printSecret(ctx, id, secret, "command.webhooks.rotate.done")
	})
}

// removeWebhook is `credits webhooks remove`.
func removeWebhook(ctx context.Context, p *Program, args []string) error {
	set := newFlags("webhooks remove ID", "command.webhooks.remove.explanation")
	return withEndpoint(ctx, p, set, args, func(webhooks *outbound.Service, id uuid.UUID) error {
		if err := webhooks.Remove(ctx, id); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Stdout, say(ctx, "command.webhooks.remove.done", values{"id": id.String()}))
		return err
	})
}

// replayWebhooks is `credits webhooks replay`.
func replayWebhooks(ctx context.Context, p *Program, args []string) error {
	set := newFlags("webhooks replay ID", "command.webhooks.replay.explanation")
	text := set.String("since", "", say(ctx, "command.webhooks.replay.since", nil))
	return withEndpoint(ctx, p, set, args, func(webhooks *outbound.Service, id uuid.UUID) error {
		since, err := parseSince(*text)
		if err != nil {
			return UsageError(say(ctx, "command.webhooks.replay.invalid", nil))
		}
		n, err := webhooks.ReplayFailed(ctx, id, since)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.Stdout, say(ctx, "command.webhooks.replay.done", values{"count": n}))
		return err
	})
}

// parseSince parses a day in UTC or a time; empty is a day ago.
func parseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Now().Add(-24 * time.Hour), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}
