package doctor

import (
	"context"
	"strconv"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
)

// shownAccounts is how many accounts a finding names.
const shownAccounts = 20

// checkSpelling lists the accounts whose address is not in the one spelling that is looked up: the migration left them,
// because another account has that spelling, or because only a program can tell it. It says nothing where there are none.
func (s *SetUp) checkSpelling(ctx context.Context) []Check {
	const area = area("doctor.area.sign_in")
	if !s.migrated {
		return nil // the checks of the database say so
	}
	db, err := postgres.Open(s.Config.ServerDatabaseURL().Reveal(), s.Log)
	if err != nil {
		return area.warning("doctor.unchecked.database", nil)
	}
	defer func() { _ = postgres.Close(db) }() // the verdict is in
	ctx, cancel := limited(ctx)
	defer cancel()
	var rows []models.User
	err = db.WithContext(ctx).Raw(`SELECT id, email FROM users WHERE email ~ '[^\x20-\x7e]|[A-Z ]|\.$|xn--|["(),:;<>[\]\\]' ORDER BY id`).Scan(&rows).Error
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
