package purchase

import (
	"sync"
	"time"
	_ "time/tzdata" // works on hosts without zone files

	"github.com/resume-matcher/credits/models"
)

// WithdrawalDays is the length of the withdrawal period, and of the seller's time to refund.
//
// Source: §§ 355 Abs. 2, 357 Abs. 1 BGB
const WithdrawalDays = 14

// germany is models.LegalZone, wherever the buyer is.
var germany = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation(models.LegalZone)
	if err != nil {
		panic(err) // only a program built without its time zones gets here
	}
	return zone
})

// PeriodEnd returns the moment at which the withdrawal period of an order has passed: the end of the 14th day after it.
// A period that ends on a Saturday, Sunday or holiday lasts longer (§ 193 BGB); which days those are, a person decides.
//
// Source: §§ 187 Abs. 1, 188 Abs. 1, 355 Abs. 2 BGB
func PeriodEnd(ordered time.Time) time.Time {
	y, m, d := ordered.In(germany()).Date()
	return time.Date(y, m, d+WithdrawalDays+1, 0, 0, 0, 0, germany())
}

// DueOn returns the last day on which the money must be refunded, at noon in Germany.
func DueOn(received time.Time) time.Time {
	y, m, d := received.In(germany()).Date()
	return time.Date(y, m, d+WithdrawalDays, 12, 0, 0, 0, germany())
}
