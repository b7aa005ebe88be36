package withdrawal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// A declaration is confirmed by a letter. It repeats the consumer's words only to the address of a buyer, and an
// address that bought nothing gets few.
func TestDeclarationsAreConfirmed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	declare := func(key, email, contract string) models.Withdrawal {
		t.Helper()
		d := declaration(key)
		d.Email, d.Contract = email, contract
		w, err := f.Declare(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	letter := func(w models.Withdrawal) (letters []models.Letter) {
		t.Helper()
		if err := f.DB.Find(&letters, "key = ? AND kind = ?", w.ID.String(), models.LetterWithdrawalReceived).Error; err != nil {
			t.Fatal(err)
		}
		return letters
	}
	buyer := declare("buyer", "ada@example.com", "500 Credits")
	declare("buyer", "ada@example.com", "500 Credits") // the form again
	if got := letter(buyer); len(got) != 1 || got[0].Recipient != "ada@example.com" || got[0].Locale != "de" ||
		!strings.Contains(string(got[0].Args), "500 Credits") {
		t.Errorf("the buyer's letters are %+v, want one to ada@example.com with the contract", got)
	}
	for i, want := range []int{1, 1, 1, 0} {
		w := declare("stranger"+string(rune('a'+i)), "grace@example.com", "Buy here: "+string(rune('a'+i)))
		got := letter(w)
		if len(got) != want || want == 1 && strings.Contains(string(got[0].Args), "Buy") {
			t.Errorf("declaration %d of a stranger has the letters %+v, want %d without the stranger's words", i+1, got, want)
		}
	}
}

// A stranger who knows a buyer's address cannot fill the buyer's mailbox, neither from one sender nor from many. The
// buyer's own declaration about a purchase is confirmed all the same.
func TestStrangersSendABuyerFewLetters(t *testing.T) {
	t.Parallel()
	for name, senders := range map[string]int{"from one sender": 1, "from many senders": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			letters := func() (n int64) {
				t.Helper()
				f.count(&n, `SELECT count(*) FROM letters WHERE recipient = 'ada@example.com'`)
				return n
			}
			declare := func(key string, change func(d *withdrawal.Declaration)) {
				t.Helper()
				d := declaration(key)
				d.UserID, d.Email, d.Contract = 0, "ada@example.com", "Look here: "+key
				change(&d)
				if _, err := f.Declare(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 60 {
				declare(fmt.Sprint("s", i), func(d *withdrawal.Declaration) { d.Sender = fmt.Sprint("ip:", i%senders) })
			}
			if n := letters(); n != 20 {
				t.Errorf("%d letters to the buyer, want 20", n)
			}
			declare("own", func(d *withdrawal.Declaration) {
				d.UserID, d.PurchaseID, d.Sender = f.user.ID, f.purchase.String(), "user:1"
			})
			if n := letters(); n != 21 {
				t.Errorf("%d letters with that about the buyer's own declaration, want 21", n)
			}
		})
	}
}
