package purchase_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// lettersAbout returns how many letters of each kind there are about a purchase.
func (f *refundFixture) lettersAbout(id uuid.UUID) map[models.LetterKind]int {
	f.t.Helper()
	var rows []struct {
		Kind  models.LetterKind
		Count int
	}
	f.must(f.DB.Raw(`SELECT kind, count(*) FROM letters WHERE args ->> 'id' = @id OR args -> 'purchase' ->> 'id' = @id GROUP BY kind`,
		map[string]any{"id": id.String()}).Scan(&rows).Error)
	all := map[models.LetterKind]int{}
	for _, row := range rows {
		all[row.Kind] = row.Count
	}
	return all
}

// The buyer gets one letter for each movement of a purchase's credits, even if it is reported twice.
func TestLettersAboutMovements(t *testing.T) {
	t.Parallel()
	refund := purchase.Refund{ID: "re_1", PaymentRef: "pi_1", Currency: "eur", Status: "succeeded", Amount: 1000}
	dispute := purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", Currency: "eur", Status: "needs_response", Amount: 1000,
		ReportedAt: 5}
	failed, won := refund, dispute
	failed.Status, won.Status, won.ReportedAt = "failed", "won", 6
	for name, c := range map[string]struct {
		withdrawn bool
		reports   []purchase.Report
		want      []models.LetterKind
	}{
		"a purchase":                {want: nil},
		"a refund":                  {reports: []purchase.Report{refund}, want: []models.LetterKind{models.LetterRefunded}},
		"a refund that failed":      {reports: []purchase.Report{refund, failed}, want: []models.LetterKind{models.LetterRefunded, models.LetterRefundFailed}},
		"a dispute":                 {reports: []purchase.Report{dispute}, want: []models.LetterKind{models.LetterDisputed}},
		"a dispute that was won":    {reports: []purchase.Report{dispute, won}, want: []models.LetterKind{models.LetterDisputed, models.LetterDisputeReturned}},
		"a withdrawal":              {withdrawn: true, reports: []purchase.Report{refund}, want: []models.LetterKind{models.LetterWithdrawalRefunded}},
		"a dispute of a withdrawal": {withdrawn: true, reports: []purchase.Report{dispute}, want: []models.LetterKind{models.LetterDisputed}},
		"a withdrawal's refund that failed": {withdrawn: true, reports: []purchase.Report{refund, failed},
			want: []models.LetterKind{models.LetterWithdrawalRefunded, models.LetterRefundFailed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newRefundFixture(t)
			f.must(f.take(200))
			if c.withdrawn {
				f.declareWithdrawal()
			}
			for _, r := range c.reports {
				f.must(f.bookFetched(r))
				f.must(f.bookFetched(r))
			}
			got := f.lettersAbout(f.id)
			for _, kind := range append(c.want, models.LetterPurchasePaid) {
				if got[kind] != 1 {
					t.Errorf("%d letters %s, want 1", got[kind], kind)
				}
				delete(got, kind)
			}
			delete(got, models.LetterWithdrawalReceived)
			if len(got) != 0 {
				t.Errorf("letters %v, want none", got)
			}
			if c.withdrawn && name != "a dispute of a withdrawal" {
				var used models.Credits
				f.must(f.DB.Raw(`SELECT CAST(args ->> 'used' AS integer) FROM letters WHERE kind = ?`,
					models.LetterWithdrawalRefunded).Scan(&used).Error)
				if used != 200 {
					t.Errorf("the letter says that %d credits were used, want 200", used)
				}
			}
		})
	}
}
