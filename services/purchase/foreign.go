package purchase

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// ErrForeign says that a report is about another product's object. It wraps ErrNotOurs.
var ErrForeign = fmt.Errorf("%w: another product's", ErrNotOurs)

// isOurs reports whether metadata is ours: it has our tag or, when it is older than tags, the id of one of our
// purchases. Only holders of the account's API key can write metadata; buyers cannot.
func (s *Service) isOurs(ctx context.Context, metadata map[string]string) (bool, error) {
	if tag := metadata[stripeapi.TagKey]; tag != "" {
		i, err := s.Installation(ctx)
		return tag == i.ID.String(), err
	}
	id, err := uuid.Parse(metadata["purchase_id"])
	if err != nil {
		return false, nil //nolint:nilerr // no id of ours
	}
	var known bool
	err = s.DB.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM purchases WHERE id = ?)`, id).Row().Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for purchase %s: %w", id, err)
	}
	return known, nil
}

// foreignKind is a kind of object that another product may own.
type foreignKind string

const (
	foreignSession foreignKind = "session"
	foreignPayment foreignKind = "payment"
)

// rememberForeign stores an object as another product's, so that Stripe is not asked about it again.
func (s *Service) rememberForeign(ctx context.Context, kind foreignKind, objectID string) error {
	err := s.DB.WithContext(ctx).
		Exec(`INSERT INTO foreign_objects (object_id, kind, seen_at) VALUES (?, ?, ?) ON CONFLICT (object_id) DO NOTHING`,
			objectID, kind, s.Now()).Error
	if err != nil {
		return fmt.Errorf("remember that %s is another product's: %w", objectID, err)
	}
	return nil
}

// knownForeign reports whether an object is stored as another product's. A purchase of ours takes precedence.
func knownForeign(db *gorm.DB, objectID string) (bool, error) {
	var known bool
	err := db.Raw(`SELECT EXISTS (SELECT FROM foreign_objects WHERE object_id = ?)`, objectID).Row().Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for foreign object %s: %w", objectID, err)
	}
	return known, nil
}

// ForeignMemory is how long foreign objects are stored. Package reconcile reads no older objects, so that Stripe is
// asked about each object once.
const ForeignMemory = 150 * 24 * time.Hour

// ForgetForeign deletes foreign objects that are older than ForeignMemory.
func (s *Service) ForgetForeign(ctx context.Context) error {
	err := s.DB.WithContext(ctx).Exec(`DELETE FROM foreign_objects WHERE seen_at < ?`, s.Now().Add(-ForeignMemory)).Error
	if err != nil {
		return fmt.Errorf("forget foreign objects: %w", err)
	}
	return nil
}
