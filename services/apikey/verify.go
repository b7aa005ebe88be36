package apikey

import (
	"context"
	"crypto/subtle"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

const (
	renewAge      = 500 * time.Millisecond // age from which the cached key is refreshed in the background
	cacheTTL      = time.Second            // age from which calls wait for the refresh, so that a revocation holds
	maxCached     = 10_000
	flightTimeout = 5 * time.Second
)

// cachedKey is a key that was valid at its last lookup.
type cachedKey struct {
	hash   digest
	latest atomic.Pointer[lookup]
	window *limit.Window
}

// lookup is the result of a query for a key.
type lookup struct {
	row models.APIKey
	at  time.Time // before the query
}

// Verify returns the service key whose plaintext a sender presents after "Bearer ", and counts the call. A lookup
// counts as valid for a second. Malformed keys are refused without a query and without counting.
//
// Errors: fault.Unauthenticated with fault.KeyExpired for an expired key, and with fault.CallerUnknown for every other
// invalid key; fault.RateLimited with retryAfter in seconds when the key has used up its calls of this minute, or the
// sender limit.WrongKey. Both limits are refused from memory until the minute ends by the database's clock.
func (k *Service) Verify(ctx context.Context, presented string, from limit.Sender) (models.APIKey, error) {
	if !wellFormed(presented) {
		return models.APIKey{}, fault.Because(fault.Unauthenticated, fault.CallerUnknown)
	}
	known, err := k.admit(ctx, digestOf(presented), from)
	if err != nil {
		return models.APIKey{}, err
	}
	row := &known.latest.Load().row
	if row.PerMinute > 0 {
		wait, err := known.window.Consume(ctx, row.PerMinute)
		if err != nil {
			return models.APIKey{}, err
		}
		if wait > 0 {
			return models.APIKey{}, limit.Exceeded(wait)
		}
	}
	return *row, nil
}

// admit returns a valid key.
func (k *Service) admit(ctx context.Context, hash digest, from limit.Sender) (*cachedKey, error) {
	known := k.cached(hash)
	if known == nil {
		return k.admitUnknown(ctx, hash, from)
	}
	switch age := k.now().Sub(known.latest.Load().at); {
	case age >= cacheTTL:
		if known, err := k.lookUp(ctx, hash); err != nil || known != nil {
			return known, err
		}
		return k.admitUnknown(ctx, hash, from) // revoked: a wrong key like any other
	case age >= renewAge:
		k.renew(ctx, hash)
	}
	return known, nil
}

func (k *Service) cached(hash digest) *cachedKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.cache[hash]
}

// fresh reports whether a cached key can be used without reading it again.
func (k *Service) fresh(known *cachedKey) bool {
	return known != nil && k.now().Sub(known.latest.Load().at) < cacheTTL
}

func (k *Service) forget(hash digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.cache, hash)
}

// lookUp reads a key from the database; nil if it is invalid. Concurrent calls share one query.
func (k *Service) lookUp(ctx context.Context, hash digest) (*cachedKey, error) {
	known, err := k.once(ctx, string(hash[:]), func(ctx context.Context) (any, error) {
		if known := k.cached(hash); k.fresh(known) { // read since the caller looked
			return known, nil
		}
		return k.read(ctx, hash)
	})
	if err != nil {
		return nil, err
	}
	return known.(*cachedKey), nil
}

// renew starts lookUp without waiting for it. Later calls that must wait get its error.
func (k *Service) renew(ctx context.Context, hash digest) {
	k.flights.DoChan(string(hash[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		return k.read(ctx, hash)
	})
}

// once runs work for all concurrent callers with the same name; a caller that gives up does not cancel it.
func (k *Service) once(ctx context.Context, name string, work func(context.Context) (any, error)) (any, error) {
	done := k.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		return work(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		return r.Val, r.Err
	}
}

// readSQL finds a valid key by its hash and, once a minute, updates last_used_at.
const readSQL = `WITH used AS (UPDATE api_keys SET last_used_at = now()
	WHERE key_hash = @hash AND ` + validSQL + ` AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute'))
SELECT key_hash, ` + columns + ` FROM api_keys WHERE key_hash = @hash AND ` + validSQL

func (k *Service) read(ctx context.Context, hash digest) (*cachedKey, error) {
	at := k.now()
	var rows []struct {
		models.APIKey
		KeyHash []byte
	}
	if err := k.db.WithContext(ctx).Raw(readSQL, map[string]any{"hash": hash[:]}).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("read service key: %w", err)
	}
	if len(rows) != 1 || subtle.ConstantTimeCompare(rows[0].KeyHash, hash[:]) != 1 {
		k.forget(hash)
		return nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.cache[hash]
	if known == nil {
		limit.Evict(k.cache, maxCached, func(old *cachedKey) bool { return at.Sub(old.latest.Load().at) >= cacheTTL })
		known = &cachedKey{hash: hash, window: k.limits.NewWindow("key:"+rows[0].ID.String(), time.Minute)}
		k.cache[hash] = known
	}
	known.latest.Store(&lookup{row: rows[0].APIKey, at: at})
	return known, nil
}

// admitUnknown decides on a key that is not cached. A wrong key counts against its sender. A sender who has used up the
// limit costs the database at most one query a second.
func (k *Service) admitUnknown(ctx context.Context, hash digest, from limit.Sender) (*cachedKey, error) {
	wrong := k.limits.WindowOf(limit.WrongKey, from)
	if wait := wrong.RetryAfter(); wait > 0 {
		return k.admitBlocked(ctx, hash, wait)
	}
	unlock, err := wrong.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if wait := wrong.RetryAfter(); wait > 0 { // used up while we waited
		return k.admitBlocked(ctx, hash, wait)
	}
	if known := k.cached(hash); k.fresh(known) {
		return known, nil // another caller has just looked it up
	}
	if known, err := k.lookUp(ctx, hash); err != nil || known != nil {
		return known, err
	}
	wait, err := wrong.Consume(ctx, limit.WrongKey.Count)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		return nil, limit.Exceeded(wait)
	}
	return nil, k.whyRefused(ctx, hash)
}

// whyRefused returns fault.KeyExpired for an expired key, because whoever presents it has held it. All other keys get
// fault.CallerUnknown.
func (k *Service) whyRefused(ctx context.Context, hash digest) error {
	var expired bool
	err := k.db.WithContext(ctx).
		Raw(`SELECT EXISTS (SELECT FROM api_keys WHERE key_hash = ? AND revoked_at IS NULL AND expires_at <= now())`,
			hash[:]).Scan(&expired).Error
	switch {
	case err != nil:
		return fmt.Errorf("read service key: %w", err)
	case expired:
		return fault.Because(fault.Unauthenticated, fault.KeyExpired)
	}
	return fault.Because(fault.Unauthenticated, fault.CallerUnknown)
}

// validKeys holds the hashes of all valid keys.
type validKeys struct {
	hashes map[digest]struct{}
	at     time.Time // before the query
}

// admitBlocked admits a valid key from a sender who has used up limit.WrongKey.
func (k *Service) admitBlocked(ctx context.Context, hash digest, wait time.Duration) (*cachedKey, error) {
	live := k.live.Load()
	if live == nil || k.now().Sub(live.at) >= cacheTTL {
		read, err := k.once(ctx, "valid keys", k.readValid)
		if err != nil {
			return nil, err
		}
		live = read.(*validKeys)
	}
	if _, ok := live.hashes[hash]; !ok {
		return nil, limit.Exceeded(wait)
	}
	known, err := k.lookUp(ctx, hash)
	if err == nil && known == nil { // revoked in this moment
		err = limit.Exceeded(wait)
	}
	return known, err
}

func (k *Service) readValid(ctx context.Context) (any, error) {
	live := &validKeys{hashes: map[digest]struct{}{}, at: k.now()}
	var hashes [][]byte
	if err := k.db.WithContext(ctx).Raw(`SELECT key_hash FROM api_keys WHERE ` + validSQL).Scan(&hashes).
		Error; err != nil {
		return nil, fmt.Errorf("list valid keys: %w", err)
	}
	for _, hash := range hashes {
		live.hashes[digest(hash)] = struct{}{}
	}
	k.live.Store(live)
	return live, nil
}
