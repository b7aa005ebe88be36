package outbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/services/periodic"
)

const (
	lookPause  = time.Second     // between two searches for due deliveries while an endpoint is being sent to
	stopGrace  = 3 * time.Second // for attempts that run when the process stops
	sweepPause = time.Hour
)

// firstDue joins each enabled endpoint e with its delivery that is due first.
const firstDue = `FROM webhook_endpoints e CROSS JOIN LATERAL (SELECT due_at FROM webhook_deliveries
	WHERE endpoint_id = e.id AND status = 'pending' ORDER BY due_at LIMIT 1) first WHERE e.disabled_at IS NULL`

// Jobs send the deliveries, and delete old ones. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return []periodic.Job{
		{Name: "deliver webhooks", Work: s.Deliver, Due: `(SELECT min(first.due_at) ` + firstDue + `)`},
		{Name: "sweep webhook deliveries", Pause: sweepPause, Work: func(ctx context.Context) error {
			_, err := s.Sweep(ctx)
			return errors.Join(err, s.Reseal(ctx))
		}},
	}
}

// Deliver sends what is due, and returns when nothing is. Each endpoint has a goroutine of its own, so that none waits
// for another. When ctx ends, it starts no further attempt, and gives those that run a little time.
//
// Idempotent; any number of replicas may call it at once.
func (s *Service) Deliver(ctx context.Context) (failed error) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.grace, cancel) })()
	type end struct {
		endpoint uuid.UUID
		err      error
	}
	running, ends := map[uuid.UUID]bool{}, make(chan end, MaxEndpoints)
	for {
		due, err := s.due(ctx)
		failed = errors.Join(failed, err)
		for _, endpoint := range due {
			if running[endpoint] || failed != nil {
				continue
			}
			running[endpoint] = true
			go func() {
				e := end{endpoint: endpoint, err: errPanic}
				defer func() { ends <- e }()
				defer s.recovered(ctx)
				e.err = s.drain(ctx, sending, endpoint)
			}()
		}
		if len(running) == 0 {
			return failed
		}
		select {
		case e := <-ends:
			delete(running, e.endpoint)
			if ctx.Err() == nil {
				failed = errors.Join(failed, e.err)
			}
		case <-time.After(lookPause):
		}
	}
}

// errPanic is the error of a goroutine that panicked, which it has logged.
var errPanic = errors.New("panicked")

// due lists the endpoints with due deliveries; none once ctx has ended.
func (s *Service) due(ctx context.Context) (due []uuid.UUID, err error) {
	select {
	case <-ctx.Done():
		return nil, nil
	default:
	}
	err = s.db.WithContext(ctx).Raw(`SELECT e.id ` + firstDue + ` AND first.due_at <= now()`).Scan(&due).Error
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("look for webhook deliveries: %w", err)
	}
	return due, nil
}
