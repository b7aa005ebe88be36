// Package cache keeps values that many requests read and that rarely change.
package cache

import (
	"context"
	"sync"
	"time"
)

// Value is a value that is read once and then kept for Life. The zero Value reads it each time.
type Value[T any] struct {
	Life time.Duration

	mu      sync.Mutex
	kept    T
	until   time.Time // zero while nothing is kept
	forgets int       // a read that began before the last Forget is not kept
}

// Get returns the value, which all callers share: they must not modify it. When none is kept, concurrent callers each
// read it. Errors: those of read, which are not kept.
func (v *Value[T]) Get(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	v.mu.Lock()
	kept, fresh, forgets := v.kept, time.Now().Before(v.until), v.forgets
	v.mu.Unlock()
	if fresh {
		return kept, nil
	}
	began := time.Now()
	value, err := read(ctx)
	if err != nil {
		return value, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.forgets == forgets {
		v.kept, v.until = value, began.Add(v.Life)
	}
	return value, nil
}

// Forget makes the next Get read the value. Call it after the commit of a change.
func (v *Value[T]) Forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	var none T
	v.kept, v.until = none, time.Time{}
	v.forgets++
}
