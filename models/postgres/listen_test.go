package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

func TestListen(t *testing.T) {
	t.Parallel()
	address := dbtest.Empty(t)
	t.Run("receives what is sent on its channel until its context ends", func(t *testing.T) {
		t.Parallel()
		ctx, stop := context.WithCancel(t.Context())
		ready, received, ended := make(chan struct{}), make(chan string), make(chan error, 1)
		go func() {
			ended <- postgres.Listen(ctx, address, "my channel", func() { close(ready) }, func(p string) { received <- p })
		}()
		select {
		case <-ready:
		case err := <-ended:
			t.Fatalf("listen: %v", err)
		}
		sender := open(t, address)
		for _, send := range []string{`NOTIFY "another", 'none'`, `NOTIFY "my channel", 'one'`, `NOTIFY "my channel", 'two'`} {
			if err := sender.Exec(send).Error; err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{"one", "two"} {
			select {
			case got := <-received:
				if got != want {
					t.Errorf("received %q, want %q", got, want)
				}
			case err := <-ended:
				t.Fatalf("listen: %v, want %q first", err, want)
			}
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want canceled", err)
		}
	})
	for name, c := range map[string]struct{ address, channel string }{
		"an unreadable address": {"mysql://app@localhost/app", "c"},
		"no server":             {"postgres://app@127.0.0.1:9/app?sslmode=disable", "c"},
		"no channel":            {address, ""},
	} {
		t.Run("fails with "+name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			err := postgres.Listen(ctx, c.address, c.channel, stop, func(string) {})
			if err == nil || ctx.Err() != nil {
				t.Errorf("error = %v, ready: %t; want one before it is ready", err, ctx.Err() != nil)
			}
			stop()
		})
	}
}
