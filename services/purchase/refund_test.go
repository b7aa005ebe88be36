package purchase_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

func problem(err error) fault.Problem {
	if f := fault.Of(err); f != nil {
		return f.Problem
	}
	return ""
}

func TestRefund(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.spend(500)
	d := f.detail()
	if cents := d.Proposal(700); cents != 2042 || d.Unused(700) != 700 || d.CreditsForRefund(2042) != 700 ||
		d.Left() != 3500 {
		t.Fatalf("proposal = %d cents for %d credits, takes %d, left %d; want 2042 for 700, 700, 3500",
			cents, d.Unused(700), d.CreditsForRefund(2042), d.Left())
	}
	request := f.refund(2042, 0, "form 1")
	if request.Status != models.RefundSent || request.RefundID != "re_1" {
		t.Errorf("request = %+v, want sent as re_1", request)
	}
	if f.byKey["refund:"+request.ID.String()] == nil { // another release may send the same request
		t.Errorf("keys of refunds at Stripe = %v, want refund:%s", slices.Collect(maps.Keys(f.byKey)), request.ID)
	}
	f.wantBalance(0)
	t.Run("the event of the same refund books nothing", func(t *testing.T) {
		f.must(f.bookFetched(purchase.Refund{ID: "re_1", PaymentRef: "pi_1", ChargeID: "ch_1", Currency: "eur",
			Status: "succeeded", Amount: 2042}))
		f.wantBalance(0)
	})
	t.Run("a refund of spent credits leaves a negative balance", func(t *testing.T) {
		if got := f.detail().CreditsForRefund(1458); got != 500 {
			t.Errorf("the rest takes %d credits, want 500", got)
		}
		f.refund(1458, 2042, "form 2")
		f.wantBalance(-500)
		if d := f.detail(); d.Left() != 0 || d.Refunded != 3500 || len(d.Refunds) != 2 || len(d.Requests) != 2 {
			t.Errorf("left %d, refunded %d, %d refunds, %d requests; want 0, 3500, 2, 2", d.Left(), d.Refunded, len(d.Refunds),
				len(d.Requests))
		}
		if _, err := f.request(1, 3500, "form 3"); problem(err) != fault.RefundRange {
			t.Errorf("one cent too much: %v, want fault.RefundRange", err)
		}
	})
}

func TestRefundRefuses(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.refund(1000, 0, "first")
	unpaid := f.order("cs_open")
	for _, w := range []struct {
		name        string
		cents, seen models.Cents
		key         string
		want        fault.Problem
	}{
		{"nothing", 0, 1000, "k", fault.RefundRange},
		{"less than nothing", -1, 1000, "k", fault.RefundRange},
		{"a cent more than is left", 2501, 1000, "k", fault.RefundRange},
		{"everything again", 3500, 1000, "k", fault.RefundRange},
		{"an amount that overflows an int64", 1<<63 - 1, 1000, "k", fault.RefundRange},
		{"a form rendered before the refund", 500, 0, "k", fault.RefundedSince},
		{"a form that saw a larger refund", 500, 1001, "k", fault.RefundedSince},
		{"a key used for another amount", 500, 1000, "first", fault.KeyUsedOtherwise},
		{"a NUL in the key", 500, 1000, "\x00", fault.KeyLength},
		{"a long key", 500, 1000, strings.Repeat("k", 256), fault.KeyLength},
	} {
		if _, err := f.request(w.cents, w.seen, w.key); problem(err) != w.want {
			t.Errorf("%s: %v, want %s", w.name, err, w.want)
		}
	}
	paid := f.id
	for id, want := range map[uuid.UUID]fault.Problem{unpaid: fault.NothingPaid, uuid.New(): ""} {
		f.id = id
		if _, err := f.request(100, 0, "k"); fault.Of(err) == nil || problem(err) != want {
			t.Errorf("purchase %s: %v, want %q", id, err, want)
		}
	}
	f.id = paid
	if d := f.detail(); len(d.Requests) != 1 {
		t.Errorf("%d requests, want 1", len(d.Requests))
	}
	f.wantRefunds(1)
	f.wantBalance(1200 - 342)
	if _, err := f.request(1, 1000, "cent"); err != nil {
		t.Errorf("one cent: %v, want no error", err)
	}
}

func TestTwentyRefundsAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("make one refund of one form", func(t *testing.T) {
		f := newRefundFixture(t)
		dbtest.Concurrently(20, func(int) {
			request, err := f.request(1000, 0, "form")
			if err == nil {
				_, err = f.SendRefund(context.Background(), request)
			}
			if err != nil {
				t.Errorf("refund: %v", err)
			}
		})
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
	})
	t.Run("make one refund of twenty forms", func(t *testing.T) {
		f := newRefundFixture(t)
		var mu sync.Mutex
		made := 0
		dbtest.Concurrently(20, func(i int) {
			request, err := f.request(3500, 0, fmt.Sprint(i))
			if problem(err) == fault.RefundedSince {
				return
			}
			if err == nil {
				_, err = f.SendRefund(context.Background(), request)
			}
			if err != nil {
				t.Errorf("refund: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			made++
		})
		if made != 1 {
			t.Errorf("%d forms were accepted, want 1", made)
		}
		f.wantRefunds(1)
		f.wantBalance(0)
	})
}
