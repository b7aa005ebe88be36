package periodic

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Listen calls ready when it begins to listen for the servers that share the database, and received for each of their
// notifications, until ctx ends or the connection is lost. It is postgres.Listen with an address and Channel.
type Listen func(ctx context.Context, ready func(), received func(payload string)) error

// Channel is the channel on which servers tell each other that they use the database.
const Channel = "credits_work"

const connectWait = 30 * time.Second // at most between two attempts to listen

// peers is what a server knows of the others.
type peers struct {
	reconnect chan struct{} // the database has just answered
	listening atomic.Bool
	notified  instant     // the last notification sent
	pending   atomic.Bool // it has not come back
}

// receiving reports whether notifications arrive: this server's own do. Through a pooler in transaction mode none does,
// and a server that receives nothing asks the database every two seconds.
func (p *peers) receiving() bool { return p.listening.Load() && !p.pending.Load() }

// notify wakes the other servers if this one has used the database since its last notification, or has not received
// that one.
func (s *Schedule) notify(ctx context.Context) error {
	p := &s.peers
	if s.Listen == nil || !s.unannounced() && !p.pending.Load() {
		return nil
	}
	if p.notified.Load() > 0 && s.within(&p.notified, s.pace.inUse/2) { // the others are awake for longer
		return nil
	}
	p.pending.Store(true)
	s.mark(&p.notified)
	if err := s.DB.WithContext(ctx).Exec(`SELECT pg_notify(?, ?)`, Channel, s.id).Error; err != nil {
		return fmt.Errorf("wake the other servers: %w", err)
	}
	return nil
}

// unannounced reports whether this server has used the database since its last notification.
func (s *Schedule) unannounced() bool { return s.used.Load() > s.peers.notified.Load() }

// listen keeps listening until ctx ends. After the connection was lost it waits until the database has answered
// another question, because a database that suspends itself when idle ends its connections, and must stay suspended.
func (s *Schedule) listen(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		err := s.Listen(ctx, func() {
			failures = 0
			s.peers.listening.Store(true)
			signal(s.recheck)
		}, s.receive)
		s.peers.listening.Store(false)
		if failures++; failures == 2 && ctx.Err() == nil { // the first may be a restart
			s.Log.WarnContext(ctx, "cannot listen for other servers", "err", err)
		}
		select {
		case <-s.peers.reconnect: // the answer to an old question
		default:
		}
		pause := time.NewTimer(min(s.pace.poll<<min(failures-1, 8), connectWait))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		select {
		case <-ctx.Done():
		case <-s.peers.reconnect:
		}
	}
}

// receive handles a notification of a server, which may be this one.
func (s *Schedule) receive(payload string) {
	if payload == s.id {
		s.peers.pending.Store(false)
		signal(s.recheck)
		return
	}
	s.rouse(&s.roused)
}
