package gate

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

// sweepBatch is how many passes one statement deletes.
const sweepBatch = 1000

// OpenPass stores the pass that a charged call opens, with its lifetime from now on. Call it once, after the hold and
// before the call is made: the pass is valid as soon as the hold is captured, and never when the hold ends otherwise.
//
// Errors: fault.NotFound for a hold that has ended or is not the user's.
func (s *Service) OpenPass(ctx context.Context, holdID uuid.UUID, userID int64, p routes.Pass) error {
	opened := s.DB.WithContext(ctx).Exec(`INSERT INTO gate_passes (hold_id, name, subject_hash, uses, expires_at)
		SELECT id, ?::text, ?::bytea, ?::integer, now() + ?::float8 * interval '1 second'
		FROM holds WHERE id = ? AND user_id = ? AND status = 'open' FOR KEY SHARE`,
		p.Name, subjectHash(userID, p.Subject), p.Uses, p.Lifetime.Seconds(), holdID, userID)
	if opened.Error != nil {
		return fmt.Errorf("open a pass with hold %s: %w", holdID, opened.Error)
	}
	if opened.RowsAffected == 0 {
		return fault.New(fault.NotFound, nil)
	}
	return nil
}

// useSQL takes one use of the valid pass that ends soonest. It waits for a pass that another transaction is using,
// looks at it again, and goes on to the next if that took the last use.
const useSQL = `UPDATE gate_passes SET used = used + 1 WHERE hold_id = (
	SELECT p.hold_id FROM gate_passes p JOIN holds h ON h.id = p.hold_id
	WHERE p.subject_hash = ? AND p.name = ? AND p.used < p.uses AND p.expires_at > now()
		AND h.status = 'captured'
	ORDER BY p.expires_at, p.hold_id LIMIT 1 FOR UPDATE OF p) RETURNING hold_id`

// UsePass takes one use of the user's passes of this name and subject, from the one that ends soonest. It returns the
// hold of that pass; the zero id if there was none.
//
// Locks: the pass.
func (s *Service) UsePass(ctx context.Context, userID int64, name, subject string) (uuid.UUID, error) {
	var pass struct{ HoldID uuid.UUID }
	err := s.DB.WithContext(ctx).Raw(useSQL, subjectHash(userID, subject), name).Scan(&pass).Error
	if err != nil {
		return uuid.Nil, fmt.Errorf("use a pass of user %d: %w", userID, err)
	}
	return pass.HoldID, nil
}

// RestoreUse gives back a use that UsePass took. Call it at most once for each.
//
// Locks: the pass.
func (s *Service) RestoreUse(ctx context.Context, holdID uuid.UUID) error {
	err := s.DB.WithContext(ctx).Exec(`UPDATE gate_passes SET used = used - 1 WHERE hold_id = ?`, holdID).Error
	if err != nil {
		return fmt.Errorf("restore a use of the pass of hold %s: %w", holdID, err)
	}
	return nil
}

// subjectHash identifies a user and what a pass is for, without telling either.
func subjectHash(userID int64, subject string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s", userID, subject))
	return sum[:]
}

// Sweep deletes passes that have expired, in batches, and returns how many. It skips passes that are locked.
func (s *Service) Sweep(ctx context.Context) (swept int64, err error) {
	swept, err = postgres.InBatches(sweepBatch, func() *gorm.DB {
		return s.DB.WithContext(ctx).Exec(`DELETE FROM gate_passes WHERE hold_id = ANY (ARRAY(
			SELECT hold_id FROM gate_passes WHERE expires_at <= now() LIMIT ? FOR UPDATE SKIP LOCKED))`, sweepBatch)
	})
	if err != nil {
		return swept, fmt.Errorf("sweep passes: %w", err)
	}
	return swept, nil
}
