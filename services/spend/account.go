package spend

import (
	"context"
	"math"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Account returns the id of the user whom a service means: by id, or by e-mail address where that is 0. With create an
// address that nobody holds gets an account: the service answers for it that the address has been verified.
//
// It does not look up an id: what is asked for that user will find out.
// Errors: fault.NotFound; fault.Invalid for a text that is no address.
func (s *Service) Account(ctx context.Context, userID int64, email string, create bool) (int64, error) {
	if userID != 0 {
		if userID < 1 || userID > math.MaxInt32 {
			return 0, fault.New(fault.NotFound, nil)
		}
		return userID, nil
	}
	email = ledger.Address(email)
	if email == "" {
		return 0, fault.Field("email", fault.EmailInvalid)
	}
	id, err := ledger.Holder(s.DB.WithContext(ctx), email)
	if err == nil && id == 0 && create {
		err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) (err error) {
			id, err = ledger.Account(tx, email)
			return err
		})
	}
	if err == nil && id == 0 {
		err = fault.New(fault.NotFound, nil)
	}
	return id, err
}
