//go:build !unix

package localpg

import (
	"context"
	"fmt"
	"runtime"
)

type owned struct{}

func (*owned) stop() error { return nil }

func start(context.Context, Options) (*Server, error) {
	return nil, fmt.Errorf("the embedded PostgreSQL does not run on %s: set DATABASE_URL to another server", runtime.GOOS)
}
