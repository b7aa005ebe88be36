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
	renewAge      = 500 * time.Millisecond // from then on a key is read again while calls go on
	knownFor      = time.Second            // from then on they wait for it: a revocation holds everywhere
	maxKnown      = 10_000                 // keys remembered
	flightTimeout = 5 * time.Second
)

// knownKey is a key that was good when the database was last asked.
type knownKey struct {
	hash     digest
	verified atomic.Pointer[answer]
	window   *limit.Window
}

// answer is what the database said of a key.
type answer struct {
	row   models.APIKey
	asked time.Time // before the database was
}

// Verify says which service key somebody presents: what stands after "Bearer ". from is who presents it. A key counts as
// good for a second after the database was asked. What cannot be a key at all is refused without asking or counting.
//
// Errors: fault.Unauthenticated, the same for whatever is no good key; fault.RateLimited with retryAfter in seconds when
// the key has had its calls of this minute, or the sender the wrong keys of limit.WrongKey. Either is answered from memory
// until the minute ends, by the database's clock.
func (k *Service) Verify(ctx context.Context, presented string, from limit.Sender) (models.APIKey, error) {
	if !wellFormed(presented) {
		return models.APIKey{}, fault.New(fault.Unauthenticated, nil)
	}
	known, err := k.admit(ctx, digestOf(presented), from)
	if err != nil {
		return models.APIKey{}, err
	}
	row := &known.verified.Load().row
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

// admit returns a key that is good now.
func (k *Service) admit(ctx context.Context, hash digest, from limit.Sender) (*knownKey, error) {
	known := k.remembered(hash)
	if known == nil {
		return k.admitUnknown(ctx, hash, from)
	}
	switch age := k.now().Sub(known.verified.Load().asked); {
	case age >= knownFor:
		if known, err := k.lookUp(ctx, hash); err != nil || known != nil {
			return known, err
		}
		return k.admitUnknown(ctx, hash, from) // it was revoked: a wrong key like any other
	case age >= renewAge:
		k.renew(ctx, hash)
	}
	return known, nil
}

func (k *Service) remembered(hash digest) *knownKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.known[hash]
}

func (k *Service) forget(hash digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, hash)
}

// lookUp asks the database about a key; nil when it is not good. Calls at the same time ask once.
func (k *Service) lookUp(ctx context.Context, hash digest) (*knownKey, error) {
	known, err := k.once(ctx, string(hash[:]), func(ctx context.Context) (any, error) { return k.read(ctx, hash) })
	if err != nil {
		return nil, err
	}
	return known.(*knownKey), nil
}

// renew is lookUp for those who need not wait for it. An error is for those who will have to.
func (k *Service) renew(ctx context.Context, hash digest) {
	k.flights.DoChan(string(hash[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		return k.read(ctx, hash)
	})
}

// once runs work for all who ask for it at the same time, whoever of them leaves meanwhile.
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

// readSQL finds a good key by its hash and, once a minute, notes that it is in use.
const readSQL = `WITH used AS (UPDATE api_keys SET last_used_at = now()
	WHERE key_hash = @hash AND ` + goodKey + ` AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute'))
SELECT key_hash, ` + columns + ` FROM api_keys WHERE key_hash = @hash AND ` + goodKey

func (k *Service) read(ctx context.Context, hash digest) (*knownKey, error) {
	asked := k.now()
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
	known := k.known[hash]
	if known == nil {
		limit.Evict(k.known, maxKnown, func(old *knownKey) bool { return asked.Sub(old.verified.Load().asked) >= knownFor })
		known = &knownKey{hash: hash, window: k.limits.NewWindow("key:"+rows[0].ID.String(), time.Minute)}
		k.known[hash] = known
	}
	known.verified.Store(&answer{row: rows[0].APIKey, asked: asked})
	return known, nil
}

// admitUnknown decides on a key that we do not remember. A wrong one counts against its sender; a sender who has had the
// number of them costs the database no more than one query a second, whatever comes.
func (k *Service) admitUnknown(ctx context.Context, hash digest, from limit.Sender) (*knownKey, error) {
	wrong := k.limits.WindowOf(limit.WrongKey, from)
	if wait := wrong.RetryAfter(); wait > 0 {
		return k.admitBlocked(ctx, hash, wait)
	}
	unlock, err := wrong.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if wait := wrong.RetryAfter(); wait > 0 { // since we waited
		return k.admitBlocked(ctx, hash, wait)
	}
	if known := k.remembered(hash); known != nil && k.now().Sub(known.verified.Load().asked) < knownFor {
		return known, nil // the one before us asked
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

// whyRefused tells the holder of a key that has ended by itself what a stranger is not told.
func (k *Service) whyRefused(ctx context.Context, hash digest) error {
	var ended bool
	err := k.db.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM api_keys WHERE key_hash = ? AND revoked_at IS NULL AND expires_at <= now())`, hash[:]).Scan(&ended).Error
	switch {
	case err != nil:
		return fmt.Errorf("read service key: %w", err)
	case ended:
		return fault.Because(fault.Unauthenticated, fault.KeyExpired)
	}
	return fault.New(fault.Unauthenticated, nil)
}

// roll is the hash of every good key.
type roll struct {
	hashes map[digest]struct{}
	asked  time.Time
}

// admitBlocked lets a good key through from a sender of too many wrong ones.
func (k *Service) admitBlocked(ctx context.Context, hash digest, wait time.Duration) (*knownKey, error) {
	live := k.live.Load()
	if live == nil || k.now().Sub(live.asked) >= knownFor {
		read, err := k.once(ctx, "roll", k.readRoll)
		if err != nil {
			return nil, err
		}
		live = read.(*roll)
	}
	if _, ok := live.hashes[hash]; !ok {
		return nil, limit.Exceeded(wait)
	}
	known, err := k.lookUp(ctx, hash)
	if err == nil && known == nil { // revoked in this very moment
		err = limit.Exceeded(wait)
	}
	return known, err
}

func (k *Service) readRoll(ctx context.Context) (any, error) {
	live := &roll{hashes: map[digest]struct{}{}, asked: k.now()}
	var hashes [][]byte
	if err := k.db.WithContext(ctx).Raw(`SELECT key_hash FROM api_keys WHERE ` + goodKey).Scan(&hashes).Error; err != nil {
		return nil, fmt.Errorf("list good keys: %w", err)
	}
	for _, hash := range hashes {
		live.hashes[digest(hash)] = struct{}{}
	}
	k.live.Store(live)
	return live, nil
}
