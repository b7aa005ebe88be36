package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

const (
	sessionTimeout  = 5 * time.Second     // for one query: the middleware gives no context
	sessionMaxAge   = 30 * 24 * time.Hour // however busy a session is
	bindLead        = 5 * time.Minute     // between Bind and the first Set of a new session
	tombstoneMaxAge = time.Hour           // how long a request may still be running that had read an ended session
	seenEvery       = 5 * time.Minute     // how exactly it is known when a session was last used
)

// Sessions keeps browser sessions in PostgreSQL, for Fiber's session middleware and for whoever must end them.
//
// A session's key is in the cookie only; the table has its HMAC. A session that was ended stays as an empty, expired
// row for an hour: a request that was under way at the time would otherwise write the session back.
type Sessions struct {
	db     *gorm.DB
	secret []byte
	now    func() time.Time
}

// NewSessions returns the store. A nil now is models.Now.
func NewSessions(db *gorm.DB, secret []byte, now func() time.Time) *Sessions {
	if now == nil {
		now = models.Now
	}
	return &Sessions{db: db, secret: secret, now: now}
}

func (s *Sessions) hash(key string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil))
}

// query returns a database handle whose statements end after five seconds.
func (s *Sessions) query(ctx context.Context) (*gorm.DB, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	return s.db.WithContext(ctx), cancel
}

// Get returns a live session's data, nil when there is none.
func (s *Sessions) Get(key string) ([]byte, error) {
	if key == "" {
		return nil, nil
	}
	db, cancel := s.query(context.Background())
	defer cancel()
	var rows []struct {
		Data  []byte
		Stale bool
	}
	hash, now := s.hash(key), s.now()
	err := db.Raw("SELECT data, last_seen_at <= ? AS stale FROM sessions WHERE key_hash = ? AND expires_at > ? AND data <> ''",
		now.Add(-seenEvery), hash, now).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	if rows[0].Stale {
		if err := db.Exec("UPDATE sessions SET last_seen_at = ? WHERE key_hash = ? AND expires_at > ?", now, hash, now).Error; err != nil {
			return nil, fmt.Errorf("note that a session is in use: %w", err)
		}
	}
	return rows[0].Data, nil
}

// setSQL writes a session. It keeps the user of a live one, starts anew over one that ran out by itself, and leaves
// one that was ended ended.
const setSQL = `INSERT INTO sessions (key_hash, data, expires_at, created_at, last_seen_at) VALUES (@hash, @data, @expires, @now, @now)
	ON CONFLICT (key_hash) DO UPDATE SET data = EXCLUDED.data,
		user_id = CASE WHEN sessions.expires_at > @now THEN sessions.user_id END,
		created_at = CASE WHEN sessions.expires_at > @now THEN sessions.created_at ELSE EXCLUDED.created_at END,
		expires_at = CASE WHEN sessions.expires_at > @now
			THEN LEAST(EXCLUDED.expires_at, sessions.created_at + @age * interval '1 second') ELSE EXCLUDED.expires_at END
	WHERE sessions.expires_at > @now OR sessions.data <> ''`

// Set stores a session for ttl, at most until it is thirty days old. A ttl of 0 is thirty days.
func (s *Sessions) Set(key string, data []byte, ttl time.Duration) error {
	if key == "" || len(data) == 0 {
		return nil
	}
	if ttl <= 0 || ttl > sessionMaxAge {
		ttl = sessionMaxAge
	}
	db, cancel := s.query(context.Background())
	defer cancel()
	now := s.now()
	err := db.Exec(setSQL, map[string]any{
		"hash": s.hash(key), "data": data, "now": now, "expires": now.Add(ttl), "age": int64(sessionMaxAge.Seconds()),
	}).Error
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	return nil
}

// Delete ends a session for good.
func (s *Sessions) Delete(key string) error {
	db, cancel := s.query(context.Background())
	defer cancel()
	err := db.Exec("UPDATE sessions SET data = '', user_id = NULL, device = '', expires_at = ? WHERE key_hash = ?", s.now(), s.hash(key)).Error
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Reset forgets every session: everybody is signed out.
func (s *Sessions) Reset() error {
	db, cancel := s.query(context.Background())
	defer cancel()
	if err := db.Exec("DELETE FROM sessions").Error; err != nil {
		return fmt.Errorf("reset sessions: %w", err)
	}
	return nil
}

// Close does nothing: the connections are the product's.
func (s *Sessions) Close() error { return nil }

// errSessionEnded is an attempt to sign in on a session that was ended.
var errSessionEnded = errors.New("bind session: it was ended")

// Bind says whose session this is, so that EndAll finds it, and on which device. Call it before the session is saved as
// signed in: a crash in between then leaves nobody signed in, rather than a session that cannot be ended.
func (s *Sessions) Bind(ctx context.Context, key string, userID int64, device string) error {
	if key == "" {
		return errors.New("bind session: no key")
	}
	db, cancel := s.query(ctx)
	defer cancel()
	now := s.now()
	done := db.Exec(`INSERT INTO sessions (key_hash, data, user_id, device, expires_at, created_at, last_seen_at) VALUES (?, '', ?, ?, ?, ?, ?)
		ON CONFLICT (key_hash) DO UPDATE SET user_id = EXCLUDED.user_id, device = EXCLUDED.device WHERE sessions.expires_at > ?`,
		s.hash(key), userID, device, now.Add(bindLead), now, now, now)
	if done.Error != nil {
		return fmt.Errorf("bind session to user %d: %w", userID, done.Error)
	}
	if done.RowsAffected == 0 {
		return errSessionEnded
	}
	return nil
}

// EndAll signs a user out everywhere.
func (s *Sessions) EndAll(ctx context.Context, userID int64) error {
	db, cancel := s.query(ctx)
	defer cancel()
	err := db.Exec("UPDATE sessions SET data = '', user_id = NULL, device = '', expires_at = ? WHERE user_id = ?", s.now(), userID).Error
	if err != nil {
		return fmt.Errorf("end sessions of user %d: %w", userID, err)
	}
	return nil
}

// Sweep deletes what has run out and says how many rows that were.
func (s *Sessions) Sweep(ctx context.Context) (int64, error) {
	db, cancel := s.query(ctx)
	defer cancel()
	now := s.now()
	done := db.Exec("DELETE FROM sessions WHERE expires_at <= ? AND (data <> '' OR expires_at <= ?)", now, now.Add(-tombstoneMaxAge))
	if done.Error != nil {
		return 0, fmt.Errorf("sweep sessions: %w", done.Error)
	}
	return done.RowsAffected, nil
}
