package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/batch"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/seal"
)

const (
	sessionTimeout = 5 * time.Second // for one statement
	seenEvery      = time.Minute     // resolution of last_seen_at
	sweepBatch     = 1000            // rows deleted by one statement
)

// Sessions stores the signed-in browsers in PostgreSQL, so that every server can load and end them.
//
// The session's key is in the browser's cookie only; the table has its HMAC. Ending a session deletes its row.
type Sessions struct {
	db      *gorm.DB
	secrets seal.Secrets
	staff   staffLists
	now     func() time.Time

	loads, gateLoads batch.Group[*load]
}

// Sessions returns the store. Sessions hashed with any of the secrets are found.
func (s *Service) Sessions() *Sessions {
	return &Sessions{db: s.db, secrets: s.secrets, staff: staffLists{s.admins, s.helpers}, now: s.now}
}

// query returns a database handle whose statements time out.
func (s *Sessions) query(ctx context.Context) (*gorm.DB, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	return s.db.WithContext(ctx), cancel
}

// openSQL creates a session, and reports whether that succeeded, whether the identity had signed in before, and whether
// the user had a session on such a device.
const openSQL = `WITH opened AS (
	INSERT INTO sessions (key_hash, user_id, issuer, subject, device, proved_at, created_at, last_seen_at, expires_at)
	SELECT cast(@name AS text), user_id, issuer, subject, cast(@device AS text),
		CASE WHEN cast(@proof AS boolean) THEN cast(@now AS timestamptz) END,
		cast(@now AS timestamptz), cast(@now AS timestamptz), cast(@expires AS timestamptz)
	FROM identities WHERE issuer = @issuer AND subject = @subject AND user_id = @user FOR KEY SHARE
	RETURNING user_id),
others AS (
	SELECT key_hash, device FROM sessions WHERE user_id IN (SELECT user_id FROM opened) ORDER BY key_hash FOR UPDATE),
noted AS (
	UPDATE sessions SET elsewhere_at = cast(@now AS timestamptz), elsewhere_device = cast(@device AS text)
	WHERE key_hash IN (SELECT key_hash FROM others))
SELECT EXISTS (SELECT FROM opened) AS opened, EXISTS (SELECT FROM others WHERE device = @device) AS known,
	EXISTS (SELECT FROM identities WHERE issuer = @issuer AND subject = @subject AND created_at < last_sign_in_at) AS returning`

// Open creates a session for a successful sign-in and returns its key. The user's other sessions record the sign-in,
// for their next page to show. A user who has signed in before, and never on such a device, gets a letter.
//
// Locks: the identity, so that a concurrent unlink ends the session; then the user's sessions.
// Errors: fault.Malformed with fault.SignInFailed if the identity is no longer the user's.
func (s *Sessions) Open(ctx context.Context, in SignIn, device string) (key string, err error) {
	key, err = randomText()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	now := s.now()
	var done struct{ Opened, Known, Returning bool }
	err = postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		err := tx.Raw(openSQL, map[string]any{
			"name": s.KeyHash(key), "device": device, "proof": in.Reauthenticated, "now": now, "expires": now.Add(SessionMax),
			"issuer": in.Issuer, "subject": in.Subject, "user": in.ID,
		}).Scan(&done).Error
		if err != nil || !done.Opened || done.Known || !done.Returning {
			return err
		}
		return mail.Add(tx, mail.Letter{Kind: models.LetterSignedIn, About: fmt.Sprintf("%d %s", in.ID, device),
			UserID: &in.ID, Args: mail.Access{At: now, Device: device}})
	})
	if err != nil {
		return "", fmt.Errorf("open a session of user %d: %w", in.ID, err)
	}
	if !done.Opened {
		return "", fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return key, nil
}

// Touch updates the time of last use, at most once a minute.
func (s *Sessions) Touch(ctx context.Context, session *models.Session) error {
	now := s.now()
	if now.Sub(session.LastSeenAt) < seenEvery {
		return nil
	}
	db, cancel := s.query(ctx)
	defer cancel()
	if err := db.Exec(`UPDATE sessions SET last_seen_at = ? WHERE key_hash = ?`, now, session.KeyHash).Error; err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// Idle reports whether the session was last used at least limit ago, to the minute.
func (s *Sessions) Idle(session *models.Session, limit time.Duration) bool {
	return s.now().Sub(session.LastSeenAt) >= limit
}

// ClearElsewhere removes the notice of a sign-in elsewhere, which the user has seen.
func (s *Sessions) ClearElsewhere(ctx context.Context, session *models.Session) error {
	db, cancel := s.query(ctx)
	defer cancel()
	err := db.Exec(
		`UPDATE sessions SET elsewhere_at = NULL, elsewhere_device = '' WHERE key_hash = ? AND elsewhere_at = ?`,
		session.KeyHash, session.ElsewhereAt).Error
	if err != nil {
		return fmt.Errorf("clear the notice of a sign-in: %w", err)
	}
	return nil
}

// MarkReauthenticated records that the session's user has just reauthenticated.
func (s *Sessions) MarkReauthenticated(ctx context.Context, keyHash string) error {
	db, cancel := s.query(ctx)
	defer cancel()
	if err := db.Exec(`UPDATE sessions SET proved_at = ? WHERE key_hash = ?`, s.now(), keyHash).Error; err != nil {
		return fmt.Errorf("mark session as reauthenticated: %w", err)
	}
	return nil
}

// Reauthenticated reports whether the session's last reauthentication is younger than ReauthLife.
func (s *Sessions) Reauthenticated(session *models.Session) bool {
	return session != nil && session.ProvedAt != nil && s.now().Sub(*session.ProvedAt) < ReauthLife
}

const sessionColumns = `key_hash, user_id, issuer, subject, device, proved_at, elsewhere_at, elsewhere_device,
	created_at, last_seen_at, expires_at`

// List returns a user's live sessions, the last used first.
func (s *Sessions) List(ctx context.Context, userID int64) ([]models.Session, error) {
	db, cancel := s.query(ctx)
	defer cancel()
	now := s.now()
	var found []models.Session
	err := db.Raw(`SELECT `+sessionColumns+
		` FROM sessions WHERE user_id = ? AND expires_at > ? AND last_seen_at > ? ORDER BY last_seen_at DESC, key_hash`,
		userID, now, now.Add(-SessionIdle)).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("sessions of user %d: %w", userID, err)
	}
	return found, nil
}

// End ends one session of a user, on every server. Idempotent; it ignores sessions of other users.
func (s *Sessions) End(ctx context.Context, userID int64, keyHash string) error {
	return s.end(ctx, ByAdmin{UserID: userID}, `user_id = ? AND key_hash = ?`, userID, keyHash)
}

// EndAll ends all sessions of a user.
func (s *Sessions) EndAll(ctx context.Context, userID int64) error {
	return s.EndByAdmin(ctx, ByAdmin{UserID: userID})
}

// EndByAdmin ends all sessions of a user by an admin's decision.
func (s *Sessions) EndByAdmin(ctx context.Context, by ByAdmin) error {
	return s.end(ctx, by, `user_id = ?`, by.UserID)
}

func (s *Sessions) end(ctx context.Context, by ByAdmin, where string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	return postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		ended := tx.Exec(`DELETE FROM sessions WHERE `+where, args...)
		if ended.Error != nil {
			return fmt.Errorf("end sessions: %w", ended.Error)
		}
		if ended.RowsAffected == 0 {
			return nil
		}
		return models.AppendAudit(tx, models.AuditEvent{
			ActorID: by.ActorID, Action: models.ActionSessionEnd, UserID: by.UserID, RequestID: by.RequestID,
			Detail: map[string]any{"sessions": ended.RowsAffected, "note": by.Note},
		})
	})
}

// sweepSQL deletes up to a batch of each table's expired rows.
const sweepSQL = `WITH s AS (DELETE FROM sessions WHERE key_hash IN (
		SELECT key_hash FROM sessions WHERE expires_at <= @now OR last_seen_at <= @idle LIMIT @batch) RETURNING 1),
	f AS (DELETE FROM used_flows WHERE state_hash IN (
		SELECT state_hash FROM used_flows WHERE expires_at <= @now LIMIT @batch) RETURNING 1),
	c AS (DELETE FROM gate_codes WHERE code_hash IN (
		SELECT code_hash FROM gate_codes WHERE expires_at <= @now LIMIT @batch) RETURNING 1),
	r AS (DELETE FROM refused_identities WHERE (issuer, subject) IN (
		SELECT issuer, subject FROM refused_identities WHERE last_seen_at <= @refused LIMIT @batch) RETURNING 1),
	swept AS (SELECT count(*) AS n FROM s UNION ALL SELECT count(*) FROM f
		UNION ALL SELECT count(*) FROM c UNION ALL SELECT count(*) FROM r)
SELECT sum(n)::bigint AS rows, max(n) >= @batch AS more FROM swept`

// Sweep deletes expired sessions, flows, codes and refused identities in batches, and returns how many rows.
func (s *Sessions) Sweep(ctx context.Context) (swept int64, err error) {
	now := s.now()
	args := map[string]any{"now": now, "idle": now.Add(-SessionIdle), "refused": now.Add(-RefusedLife), "batch": sweepBatch}
	for more := true; more; {
		db, cancel := s.query(ctx)
		var done struct {
			Rows int64
			More bool
		}
		err := db.Raw(sweepSQL, args).Scan(&done).Error
		cancel()
		if err != nil {
			return swept, fmt.Errorf("sweep sessions: %w", err)
		}
		swept, more = swept+done.Rows, done.More
	}
	return swept, nil
}

// Jobs sweep the sessions. Any number of replicas may run them.
func (s *Sessions) Jobs() []periodic.Job {
	return []periodic.Job{{Name: "sweep sessions", Pause: time.Minute, Work: func(ctx context.Context) error {
		_, err := s.Sweep(ctx)
		return err
	}}}
}

// randomText returns 256 random bits.
func randomText() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
