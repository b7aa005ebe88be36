package mail_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
)

// book books entries in one transaction each: the use of a feature where negative, else a grant.
func (f *fixture) book(deltas ...models.Credits) {
	f.t.Helper()
	for _, delta := range deltas {
		reason := models.ReasonManual
		if delta < 0 {
			reason = models.ReasonJobMatch
		}
		f.bookFor(reason, delta)
	}
}

func (f *fixture) bookFor(reason models.Reason, delta models.Credits) {
	f.t.Helper()
	err := postgres.Transaction(f.t.Context(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: f.user.ID, Delta: delta, Reason: reason})
		return err
	})
	if err != nil {
		f.t.Error(err)
	}
}

// wantLow checks the balances that letters of low balances name.
func (f *fixture) wantLow(when string, want ...models.Credits) {
	f.t.Helper()
	var args []string
	err := f.DB.Raw(`SELECT args FROM letters WHERE kind = 'low_balance' ORDER BY key::bigint`).Scan(&args).Error
	if err != nil {
		f.t.Fatal(err)
	}
	var got []models.Credits
	for _, a := range args {
		var reached mail.LowBalanceReached
		if err := json.Unmarshal([]byte(a), &reached); err != nil {
			f.t.Fatal(err)
		}
		got = append(got, reached.Balance)
	}
	if len(got) != len(want) || len(got) > 0 && got[len(got)-1] != want[len(want)-1] {
		f.t.Errorf("%s: letters of the balances %v credits, want %v", when, got, want)
	}
}

func (f *fixture) setLow(credits models.Credits) {
	f.t.Helper()
	if err := f.SaveSettings(f.t.Context(), mail.Settings{LowBalance: &credits, Digest: true}); err != nil {
		f.t.Error(err)
	}
}

// Each time that use takes a balance below the threshold, its user gets one letter.
func TestLowBalance(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.setLow(10)
	f.book(12, -2)
	f.wantLow("at the threshold")
	f.book(2, -3)
	f.wantLow("from 12 to 9", 9)
	f.book(-1)
	f.wantLow("from 9 to 8", 9)
	f.book(2, -1)
	f.wantLow("after a refill to the threshold", 9, 9)
	f.book(3, -12)
	f.wantLow("from 12 to 0", 9, 9, 0)
	f.book(20)
	f.bookFor(models.ReasonManual, -15)
	f.book(7)
	f.bookFor(models.ReasonRefund, -12)
	f.wantLow("after a correction and a refund, which have letters of their own or none", 9, 9, 0)
	f.book(30)
	dbtest.Concurrently(20, func(int) { f.book(-1) })
	f.wantLow("after twenty uses at once from 30 to 10", 9, 9, 0)
	dbtest.Concurrently(5, func(int) { f.book(-2) })
	f.wantLow("after five uses at once from 10 to 0", 9, 9, 0, 8)
}

// Without a threshold of the operator's it is the price of the dearest feature; 0 is never.
func TestLowBalanceThreshold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.book(16, -1)
	f.wantLow("at the price of the dearest feature")
	f.book(-1)
	f.wantLow("below it", 14)
	f.setLow(0)
	f.book(10, -24)
	f.wantLow("without reminders", 14)
	if err := f.SaveSettings(t.Context(), mail.Settings{}); err != nil {
		t.Error(err)
	}
	if err := f.SaveSettings(t.Context(), mail.Settings{}); err != nil { // again
		t.Error(err)
	}
	var audited int64
	if err := f.DB.Raw(`SELECT count(*) FROM audit_log WHERE action = 'letter.settings'`).Scan(&audited).Error; err != nil ||
		audited != 2 {
		t.Errorf("%d audit entries (%v), want one for each of 2 changes", audited, err)
	}
	if got, err := f.Settings(t.Context()); err != nil || got.LowBalance != nil || got.Standard != 15 || got.Digest {
		t.Errorf("settings = %+v (%v), want the default of 15 credits and no digest", got, err)
	}
	for _, wrong := range []models.Credits{-1, 1_000_001} {
		err := f.SaveSettings(t.Context(), mail.Settings{LowBalance: &wrong})
		if fault.Of(err) == nil || fault.Of(err).Field != "low_balance" {
			t.Errorf("threshold of %d credits: %v, want a refusal of the field", wrong, err)
		}
	}
}

// A user who has unsubscribed gets no such letter, not even one that was waiting, but all others.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.setLow(10)
	f.book(12, -3)
	var id string
	if err := f.DB.Raw(`SELECT id FROM letters`).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	dbtest.Concurrently(20, func(int) {
		if s, err := f.Unsubscribe(t.Context(), id); err != nil || !s.Refused || s.Kind != models.LetterLowBalance {
			t.Errorf("unsubscribe: %+v (%v), want success", s, err)
		}
	})
	f.book(10, -15)
	f.wantLow("after unsubscribing", 9)
	f.add("order")
	f.send()
	if got := f.box.Letters(); len(got) != 1 || got[0].Subject != "About order" {
		t.Errorf("%d letters arrived (%+v), want the one about the order", len(got), got)
	}
	if kinds, err := f.Refusals(t.Context(), f.user.ID); err != nil || len(kinds) != 1 {
		t.Errorf("refused kinds = %v (%v), want one", kinds, err)
	}
	if err := f.SetWanted(t.Context(), f.user.ID, models.LetterLowBalance, true); err != nil {
		t.Error(err)
	}
	f.book(10, -10)
	f.wantLow("after subscribing again", 9, 4)
	var order string
	if err := f.DB.Raw(`SELECT id FROM letters WHERE key = 'order'`).Scan(&order).Error; err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{order, "00000000-0000-4000-8000-000000000000", "x", ""} {
		if _, err := f.Unsubscribe(t.Context(), wrong); !fault.Is(err, fault.NotFound) {
			t.Errorf("unsubscribe with %q: %v, want %s", wrong, err, fault.NotFound)
		}
	}
	if err := f.SetWanted(t.Context(), f.user.ID, models.LetterRefunded, false); !fault.Is(err, fault.Invalid) {
		t.Errorf("refusing a mandatory letter: %v, want %s", err, fault.Invalid)
	}
}

// The head of an optional letter has what mail programs need to unsubscribe with one click.
func TestUnsubscribeHeader(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	write, target := f.Write, "https://example.com/en/letters/1/unsubscribe"
	f.Write = func(l models.Letter, to mail.Recipient) (mail.Content, error) {
		content, err := write(l, to)
		if l.Key == "optional" {
			content.Unsubscribe = target
		}
		return content, err
	}
	f.add("optional")
	f.add("mandatory")
	f.send()
	for _, l := range f.box.Letters() {
		head, _, _ := strings.Cut(strings.ReplaceAll(string(l.Source), "\r\n ", " "), "\r\n\r\n")
		has := strings.Contains(head, "List-Unsubscribe: <"+target+">") &&
			strings.Contains(head, "List-Unsubscribe-Post: List-Unsubscribe=One-Click")
		if want := l.Subject == "About optional"; has != want {
			t.Errorf("%s: unsubscribe in the head is %t, want %t:\n%s", l.Subject, has, want, head)
		}
	}
}
