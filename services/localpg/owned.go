//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout is how long a start waits for its own or another process's server.
const startTimeout = 2 * time.Minute

// exclusiveTimeout is how long an exclusive start waits for another process to end.
const exclusiveTimeout = 3 * time.Second

// owned is a server that this process started and restarts until stop.
type owned struct {
	cluster  *cluster
	lock     *os.File
	remove   []string // directories of a temporary cluster
	process  *process
	stopping chan struct{}
	ended    chan struct{}
	once     sync.Once
	err      error // of the clean-up; set before ended is closed
}

func start(ctx context.Context, o Options) (*Server, error) {
	return startFrom(ctx, o, newSources(o))
}

// startFrom is start with the given sources of binaries.
func startFrom(ctx context.Context, o Options, from sources) (*Server, error) {
	if o.Temporary {
		dir, err := tempDir(ctx)
		if err != nil {
			return nil, err
		}
		o.Dir = dir
	}
	if o.Dir == "" {
		return nil, errors.New("no directory for the database")
	}
	home, who, err := clusterDir(o.Dir)
	if err != nil {
		return nil, err
	}
	limit, cause := startTimeout, fmt.Errorf("%w %s, but its database does not answer: stop that process and try again",
		ErrInUse, o.Dir)
	if o.Exclusive {
		limit, cause = exclusiveTimeout, fmt.Errorf("%w %s: stop that process, or set DATA_DIR to another directory",
			ErrInUse, o.Dir)
	}
	waiting, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	for waits := 0; ; waits++ {
		lock, err := lockDir(home)
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return own(ctx, o, from, &cluster{home: home, data: filepath.Join(home, "data"), who: who, unsafe: o.Unsafe,
				log: o.Log}, lock)
		}
		if !o.Exclusive {
			if s := adopt(waiting, home); s != nil {
				return s, nil
			}
		}
		if waits == 0 {
			o.Log.InfoContext(ctx, "waiting for another process that uses the database", "dir", home)
		}
		if err := pause(waiting, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for the database: %w", err)
		}
	}
}

// adopt returns the server that another process runs on home, nil until it is ready for the application. The PID file
// names the socket, because the other process may have another TMPDIR.
func adopt(ctx context.Context, home string) *Server {
	_, socket, err := readPIDFile(filepath.Join(home, "data"))
	if err != nil || socket == "" {
		return nil
	}
	s := &Server{home: home, socket: socket}
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return nil
	}
	_ = conn.Close(ctx)
	return s
}

// own creates the cluster if there is none, and serves it.
func own(ctx context.Context, opts Options, from sources, c *cluster, lock *os.File) (_ *Server, err error) {
	o := &owned{cluster: c, lock: lock, stopping: make(chan struct{}), ended: make(chan struct{})}
	if opts.Temporary {
		o.remove = []string{opts.Dir, c.home} // home is elsewhere if the account cannot reach Dir
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.release())
		}
	}()
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	if c.bins, err = from.locate(ctx, c.who, version); err != nil {
		return nil, err
	}
	if version == 0 {
		if err := c.create(ctx); err != nil {
			return nil, err
		}
	}
	if c.socket, err = claimSocketDir(ctx, c.home, c.who); err != nil {
		return nil, err
	}
	if err := c.openLog(); err != nil {
		return nil, err
	}
	if err := o.begin(ctx); err != nil {
		return nil, err
	}
	return &Server{home: c.home, socket: c.socket.path, owned: o}, nil
}

// begin starts and provisions the server, and then watches it.
func (o *owned) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, conn, err := o.cluster.serve(ctx)
	if err != nil {
		return err
	}
	err = provision(ctx, conn)
	_ = conn.Close(ctx)
	if err != nil {
		return errors.Join(err, p.stop())
	}
	o.process = p
	go o.watch()
	return nil
}

// watch restarts a server that ends unexpectedly, so that a killed server costs some requests only, and ends it at
// stop.
func (o *owned) watch() {
	defer close(o.ended)
	for {
		select {
		case <-o.stopping:
			o.err = errors.Join(o.process.stop(), o.release())
			return
		case <-o.process.exited:
		}
		o.cluster.log.Error("database server ended unexpectedly", "restart", true)
		if !o.restart() {
			o.err = o.release()
			return
		}
	}
}

// restart retries until the server runs again. It returns false if stop is called first.
func (o *owned) restart() bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-o.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	const longest = 10 * time.Second
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, longest) {
		if pause(ctx, delay) != nil {
			return false
		}
		p, conn, err := o.cluster.serve(ctx)
		if err == nil {
			_ = conn.Close(ctx)
			o.process = p
			return true
		}
		if ctx.Err() == nil {
			o.cluster.log.Error("restart of the database server failed", "err", err)
		}
	}
}

// release closes the log, removes the socket directory and temporary data, and unlocks the directory last.
func (o *owned) release() error {
	var errs []error
	if o.cluster.out != nil {
		errs = append(errs, o.cluster.out.Close())
	}
	if o.cluster.socket != nil {
		errs = append(errs, o.cluster.socket.release())
	}
	for _, dir := range o.remove {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(append(errs, o.lock.Close())...)
}

func (o *owned) stop() error {
	o.once.Do(func() { close(o.stopping) })
	<-o.ended
	return o.err
}
