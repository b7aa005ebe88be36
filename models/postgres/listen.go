package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Listen connects to address and calls received for each notification on a channel, until ctx ends or the connection is
// lost. It calls ready once it listens; LISTEN is the connection's only statement. Address must be direct: a pooler in
// transaction mode accepts LISTEN and delivers nothing.
func Listen(ctx context.Context, address, channel string, ready func(), received func(payload string)) error {
	cfg, _, err := connConfig(address)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it is lost or no longer wanted
	if _, err := conn.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ready()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		received(n.Payload)
	}
}
