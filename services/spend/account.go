package spend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/user"
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
	if email = address.Parse(email); email == "" {
		return 0, fault.Field("email", fault.EmailInvalid)
	}
	id, err := user.ByAddress(s.DB.WithContext(ctx), email)
	if err == nil && id == 0 && create {
		err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) (err error) {
			id, err = user.FindOrCreate(tx, email)
			return err
		})
	}
	if err == nil && id == 0 {
		err = fault.New(fault.NotFound, nil)
	}
	return id, err
}

// subject is the user whom a request is about. An address may come to belong to somebody else between a request and its
// repeat: the repeat is about the user of the first.
func (s *Service) subject(ctx context.Context, r Request) (int64, error) {
	if recipient := r.recipientHash(); recipient != "" {
		var first int64
		err := s.DB.WithContext(ctx).Raw(`SELECT user_id FROM credit_transactions WHERE meta ->> 'named' = @recipient
			UNION SELECT user_id FROM holds WHERE named = @recipient LIMIT 1`, map[string]any{"recipient": recipient}).Scan(&first).Error
		if err != nil {
			return 0, fmt.Errorf("user of an earlier request: %w", err)
		}
		if first != 0 {
			return first, nil
		}
	}
	if r.Create { // nobody gets an account by a call that must fail for everybody
		var known bool
		err := s.DB.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM feature_prices WHERE feature = ? AND active)`, r.Feature).Scan(&known).Error
		if err != nil {
			return 0, fmt.Errorf("look up feature: %w", err)
		}
		if !known {
			return 0, fault.Field("feature", fault.FeatureUnknown)
		}
	}
	return s.Account(ctx, r.UserID, r.Email, r.Create)
}

// recipientHash identifies the user of a request that names them by address: a hash of caller, key and address, by which a
// repeat finds the user of the first request. It is empty without a key, and where the request names the user by id.
func (r Request) recipientHash() string {
	email := address.Parse(r.Email)
	if r.UserID != 0 && r.Email == "" || r.Key == "" || email == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(r.caller() + "\n" + r.Key + "\n" + email))
	return hex.EncodeToString(sum[:])
}
