package purchase

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// ErrForeign says that what Stripe reported is another product's.
var ErrForeign = fmt.Errorf("%w: another product's", ErrNotOurs)

// Installation says which installation of the product this is. It never changes, so it is read once.
func (s *Service) Installation(ctx context.Context) (models.Installation, error) {
	if known := s.installation.Load(); known != nil {
		return *known, nil
	}
	i, err := stripeapi.ReadInstallation(s.DB.WithContext(ctx))
	if err != nil {
		return i, err
	}
	s.installation.Store(&i)
	return i, nil
}

// wrote reports whether metadata is what we write: with our tag or, from before there was one, with the id of a purchase
// of ours. Only who holds the account's API key writes metadata; a buyer cannot.
func (s *Service) wrote(ctx context.Context, metadata map[string]string) (bool, error) {
	if tag := metadata[stripeapi.TagKey]; tag != "" {
		i, err := s.Installation(ctx)
		return tag == i.ID.String(), err
	}
	id, err := uuid.Parse(metadata["purchase_id"])
	if err != nil {
		return false, nil //nolint:nilerr // no id, so none of ours
	}
	var known bool
	err = s.DB.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM purchases WHERE id = ?)`, id).Row().Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for purchase %s: %w", id, err)
	}
	return known, nil
}

// foreignKind is what of another product's is remembered.
type foreignKind string

const (
	foreignSession foreignKind = "session"
	foreignPayment foreignKind = "payment"
)

// rememberForeign keeps Stripe from being asked about an object again.
func (s *Service) rememberForeign(ctx context.Context, kind foreignKind, objectID string) error {
	err := s.DB.WithContext(ctx).Exec(`INSERT INTO foreign_objects (object_id, kind, seen_at) VALUES (?, ?, ?) ON CONFLICT (object_id) DO NOTHING`,
		objectID, kind, s.Now()).Error
	if err != nil {
		return fmt.Errorf("remember that %s is another product's: %w", objectID, err)
	}
	return nil
}

// knownForeign reports whether an object was seen to be another product's. A purchase of ours counts for more.
func knownForeign(db *gorm.DB, objectID string) (bool, error) {
	var known bool
	err := db.Raw(`SELECT EXISTS (SELECT FROM foreign_objects WHERE object_id = ?)`, objectID).Row().Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for foreign object %s: %w", objectID, err)
	}
	return known, nil
}

// ForeignMemory is how long foreign objects are remembered. Package reconcile reads Stripe no further back, so that no
// object is asked about twice.
const ForeignMemory = 150 * 24 * time.Hour

// ForgetForeign deletes foreign objects that need not be remembered any more.
func (s *Service) ForgetForeign(ctx context.Context) error {
	err := s.DB.WithContext(ctx).Exec(`DELETE FROM foreign_objects WHERE seen_at < ?`, s.Now().Add(-ForeignMemory)).Error
	if err != nil {
		return fmt.Errorf("forget foreign objects: %w", err)
	}
	return nil
}
