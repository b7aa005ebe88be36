package purchase_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// answerDispute makes Stripe answer dp_1 with this amount. onCall runs before each answer; asked counts the answers.
func (f *refundFixture) answerDispute(cents int, onCall func()) (asked *atomic.Int64) {
	f.t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		onCall()
		fmt.Fprintf(w, `{"id":"dp_1","object":"dispute","amount":%d,"currency":"eur","status":"needs_response",
			"charge":"ch_pi_1","payment_intent":"pi_1"}`, cents)
	}))
	f.t.Cleanup(server.Close)
	f.Stripe = stripeapi.New(testKey, server.URL)
	return asked
}

// sameSecond is a report of dp_1 from an event of one and the same second.
func sameSecond(cents int64) purchase.Dispute {
	return purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", ChargeID: "ch_pi_1", Currency: "eur", Status: "needs_response",
		Amount: cents, ReportedAt: 5}
}

func TestStaleFacts(t *testing.T) {
	t.Parallel()
	t.Run("fail the booking after five rounds", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		rounds := 0
		book := func(models.Tx, purchase.StripeFacts) ([]models.CreditTransaction, error) {
			rounds++
			return nil, purchase.ErrStaleFacts
		}
		err := f.WithFacts(t.Context(), nil, false, book)
		if !errors.Is(err, purchase.ErrStaleFacts) || rounds != 5 {
			t.Errorf("error = %v after %d rounds, want ErrStaleFacts after 5", err, rounds)
		}
	})
	t.Run("are refused by the transaction", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		f.must(f.bookFetched(sameSecond(3500)))
		stale := purchase.StripeFacts{Dispute: &purchase.CurrentDispute{Revision: -1}}
		for name, facts := range map[string]purchase.StripeFacts{"none": {}, "of another revision": stale} {
			err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
				_, err := f.Book(tx, sameSecond(1000), facts, "")
				return err
			})
			if !errors.Is(err, purchase.ErrStaleFacts) {
				t.Errorf("facts %s: %v, want ErrStaleFacts", name, err)
			}
		}
		f.wantBalance(0)
	})
	t.Run("are fetched again when the dispute changes meanwhile", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		f.must(f.bookFetched(sameSecond(3500)))
		var changed atomic.Bool
		asked := f.answerDispute(1000, func() {
			if !changed.Swap(true) {
				f.must(f.DB.Exec(`UPDATE stripe_disputes SET revision = revision + 1`).Error)
			}
		})
		f.must(f.bookFetched(sameSecond(2000)))
		if asked.Load() != 2 {
			t.Errorf("Stripe was asked %d times, want 2", asked.Load())
		}
		f.wantBalance(1200 - 342)
	})
	t.Run("of twenty reports of one second end with Stripe's state", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		f.answerDispute(1000, func() {})
		dbtest.Concurrently(20, func(i int) {
			if err := f.bookFetched(sameSecond(int64(100 * (i + 1)))); err != nil {
				t.Errorf("dispute %d: %v", i, err)
			}
		})
		f.must(f.bookFetched(sameSecond(3500))) // whichever was first is contradicted now
		f.wantBalance(1200 - 342)
	})
}
