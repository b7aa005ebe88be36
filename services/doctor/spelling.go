package doctor

import (
	"context"
	"strconv"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
)

// shownAccounts is how many accounts a finding lists.
const shownAccounts = 20

// checkSpelling lists accounts whose address is not in canonical form. The migration could not change those whose
// canonical address another account has, or that SQL cannot canonicalize.
func (s *SetUp) checkSpelling(ctx context.Context) []Check {
	const area = area("doctor.area.sign_in")
	if !s.migrated {
		return nil // checkDatabase reports it
	}
	db, err := postgres.Open(s.Config.ServerDatabaseURL().Reveal(), s.Log)
	if err != nil {
		return area.warning("doctor.unchecked.database", nil)
	}
	defer func() { _ = postgres.Close(db) }() // only read
	ctx, cancel := limited(ctx)
	defer cancel()
	var rows []models.User
	err = db.WithContext(ctx).
		Raw(`SELECT id, email FROM users WHERE email ~ '[^\x20-\x7e]|[A-Z ]|\.$|xn--|["(),:;<>[\]\\]' ORDER BY id`).
		Scan(&rows).Error
	if err != nil {
		return area.warning("doctor.unchecked.database", nil)
	}
	var old []string
	for _, u := range rows {
		if address.Parse(u.Email) != u.Email && len(old) < shownAccounts {
			old = append(old, strconv.FormatInt(u.ID, 10))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return area.warning("doctor.sign_in.spelling", facts{"accounts": strings.Join(old, ", ")})
}
