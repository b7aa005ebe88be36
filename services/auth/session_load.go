package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/batch"
)

// loadSQL reads live sessions by the hashes of their keys, each with its user's account. The subquery hides from the
// planner how many keys there are: it would plan each execution for their number, which takes longer than to execute
// it.
const loadSQL = `SELECT s.key_hash AS asked, ` + loadColumns + `
	FROM sessions AS s ` + loadLive + ` AND s.key_hash = ANY (ARRAY(SELECT unnest($3::text[])))`

// loadGateSQL is loadSQL by the hashes of the keys for the gate's own host.
const loadGateSQL = `SELECT g.key_hash AS asked, ` + loadColumns + `
	FROM gate_sessions AS g JOIN sessions AS s ON s.key_hash = g.session_hash ` + loadLive + `
	AND g.key_hash = ANY (ARRAY(SELECT unnest($3::text[])))`

// loadColumns are a session and its user's account; loadLive joins the user and leaves out what has ended.
const loadColumns = `s.key_hash, s.user_id, s.issuer, s.subject, s.device, s.proved_at, s.elsewhere_at,
	s.elsewhere_device, s.created_at, s.last_seen_at, s.expires_at, ` + accountColumns

const loadLive = `JOIN users ON users.id = s.user_id AND users.deleted_at IS NULL
	WHERE s.expires_at > $1 AND s.last_seen_at > $2`

// SignedIn is a session and its user's account.
type SignedIn struct {
	Asked   string // hash of the key by which it was found
	Session models.Session
	Account Account
}

// scan reads the columns of loadSQL, in their order.
func (f *SignedIn) scan(rows postgres.Rows, staff staffLists) error {
	s := &f.Session
	return f.Account.scan(rows, staff, &f.Asked, &s.KeyHash, &s.UserID, &s.Issuer, &s.Subject, &s.Device, &s.ProvedAt,
		&s.ElsewhereAt, &s.ElsewhereDevice, &s.CreatedAt, &s.LastSeenAt, &s.ExpiresAt)
}

// load is the job of one request: a session to load, and the result.
type load struct {
	hashes []string // of the session's key, the current secret's first
	found  *SignedIn
	err    error
}

// errUnfinished is the result of a load whose batch panicked.
var errUnfinished = errors.New("sessions not read")

// Load returns the live session with this key and its user's account, nil if there is none. Concurrent calls share a
// statement, which begins after each of them: a session that has ended is not found.
func (s *Sessions) Load(ctx context.Context, key string) (*SignedIn, error) {
	if key == "" {
		return nil, nil
	}
	hashes := s.keyHashes(key)
	found, err := s.find(ctx, &s.loads, loadSQL, hashes)
	if err != nil || found == nil {
		return nil, err
	}
	session := &found.Session
	session.Key = key
	if current := hashes[0]; session.KeyHash != current { // hashed with an old secret
		db, cancel := s.query(ctx)
		defer cancel()
		if err := db.Exec(`UPDATE sessions SET key_hash = ? WHERE key_hash = ?`, current, session.KeyHash).Error; err != nil {
			return nil, fmt.Errorf("rehash session: %w", err)
		}
		session.KeyHash = current
	}
	return found, nil
}

// find reads one session with those of the other calls in its batch.
func (s *Sessions) find(ctx context.Context, group *batch.Group[*load], query string, hashes []string) (*SignedIn,
	error) {
	job := &load{hashes: hashes, err: errUnfinished}
	err := group.Do(ctx, 0, job, nil, func(jobs []*load) { s.loadBatch(ctx, query, jobs) })
	if err == nil {
		err = job.err
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	return job.found, nil
}

// loadBatch reads the sessions of a batch in one statement.
func (s *Sessions) loadBatch(ctx context.Context, query string, jobs []*load) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionTimeout) // the caller may leave, others stay
	defer cancel()
	var hashes []string
	for _, j := range jobs {
		hashes = append(hashes, j.hashes...)
	}
	found, err := s.read(ctx, query, hashes)
	for _, j := range jobs {
		j.err = err
		for _, hash := range j.hashes {
			if row := found[hash]; row != nil {
				own := *row // the requests of one session share nothing
				j.found = &own
			}
		}
	}
}

// read reads the sessions with these hashes, by the hash.
func (s *Sessions) read(ctx context.Context, query string, hashes []string) (map[string]*SignedIn, error) {
	found, now := map[string]*SignedIn{}, s.now()
	err := postgres.Read(ctx, s.db, func(rows postgres.Rows) error {
		for rows.Next() {
			row := &SignedIn{}
			if err := row.scan(rows, s.staff); err != nil {
				return err
			}
			found[row.Asked] = row
		}
		return nil
	}, query, now, now.Add(-SessionIdle), hashes)
	return found, err
}

// KeyHash is the session's primary key, which pages may show: it opens nothing.
func (s *Sessions) KeyHash(key string) string { return hex.EncodeToString(s.secrets.Sum(key)) }

// keyHashes are the session's possible hashes while the secret is rotated, the current one first.
func (s *Sessions) keyHashes(key string) []string {
	var all []string
	for _, sum := range s.secrets.Sums(key) {
		all = append(all, hex.EncodeToString(sum))
	}
	return all
}
