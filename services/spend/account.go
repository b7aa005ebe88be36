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

// Account returns the user that a service key names: by id or, if that is 0, by e-mail address. With create, an unknown
// address gets an account: the calling service guarantees that it has verified the address.
//
// It does not check that an id exists; the operation on that user does.
// Errors: fault.NotFound with fault.UserUnknown; fault.Invalid for an invalid address.
func (s *Service) Account(ctx context.Context, userID int64, email string, create bool) (int64, error) {
	if userID != 0 {
		if userID < 1 || userID > math.MaxInt32 {
			return 0, fault.Because(fault.NotFound, fault.UserUnknown)
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
		err = fault.Because(fault.NotFound, fault.UserUnknown)
	}
	return id, err
}

// subject returns the user of a request. An address may move to another user between a request and its repeat; the
// repeat still concerns the user of the first.
func (s *Service) subject(ctx context.Context, r Request) (int64, error) {
	if recipient := r.recipientHash(); recipient != "" {
		var first int64
		err := s.DB.WithContext(ctx).Raw(`SELECT user_id FROM credit_transactions WHERE meta ->> 'named' = @recipient
			UNION SELECT user_id FROM holds WHERE named = @recipient LIMIT 1`, map[string]any{"recipient": recipient}).Scan(&first).Error
		if err != nil {
			return 0, fmt.Errorf("find the user of an earlier request: %w", err)
		}
		if first != 0 {
			return first, nil
		}
	}
	if r.Create { // a call that fails for every user creates no account
		var known bool
		err := s.DB.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM feature_prices WHERE feature = ? AND active)`,
			r.Feature).Scan(&known).Error
		if err != nil {
			return 0, fmt.Errorf("look up feature: %w", err)
		}
		if !known {
			return 0, fault.Field("feature", fault.FeatureUnknown)
		}
	}
	return s.Account(ctx, r.UserID, r.Email, r.Create)
}

// recipientHash identifies the user of a request that names them by address: a hash of caller, key and address, by
// which a repeat finds the user of the first request. It is empty without a key, and where the request names the user
// by id.
func (r Request) recipientHash() string {
	email := address.Parse(r.Email)
	if r.Key == "" || email == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(r.caller() + "\n" + r.Key + "\n" + email))
	return hex.EncodeToString(sum[:])
}
