package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// accountOp is one operation on an account, accountResult its answer. A refused spend answers with the available
// credits.
type (
	accountOp struct {
		account int64
		kind    string // spend, read, grant or refund
		credits int64
	}
	accountResult struct {
		refused bool
		balance int64
	}
)

// accountModel describes an account under sequential operations. A history is linearizable if some sequential order
// fits all answers and keeps every operation after those that were answered before it was sent.
var accountModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byAccount := map[int64][]porcupine.Operation{}
		for _, o := range history {
			id := o.Input.(accountOp).account
			byAccount[id] = append(byAccount[id], o)
		}
		parts := make([][]porcupine.Operation, 0, len(byAccount))
		for _, part := range byAccount {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		balance, in, out := state.(int64), input.(accountOp), output.(accountResult)
		switch in.kind {
		case "spend":
			if out.refused {
				return balance < jobMatchCredits && out.balance == balance, balance
			}
			return balance >= jobMatchCredits && out.balance == balance-jobMatchCredits, balance - jobMatchCredits
		case "grant":
			return out.balance == balance+in.credits, balance + in.credits
		case "refund":
			return out.balance == balance-in.credits, balance - in.credits
		default:
			return out.balance == balance, balance
		}
	},
}

// Sixteen clients spend, read, grant and refund for four users at two replicas, and the history is linearizable.
func TestLinearizable(t *testing.T) {
	const clients, users = 16, 4
	each := dbtest.Depth(40, 125)
	rs := newReplicas(t, users)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	history := make([]porcupine.Operation, 0, clients*each)
	begun := time.Now()
	dbtest.Concurrently(clients, func(client int) {
		dice := rand.New(rand.NewPCG(seed, uint64(client)))
		for i := range each {
			in := accountOp{account: rs.fx.users[dice.IntN(users)], credits: 1 + dice.Int64N(20)}
			in.kind = []string{"spend", "spend", "spend", "read", "read", "grant", "refund"}[dice.IntN(7)]
			from := time.Since(begun)
			out, ok := rs.apply(t, dice.IntN(2), in, fmt.Sprintf("%d %d", client, i))
			if !ok {
				return
			}
			mu.Lock()
			history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: int64(from), Output: out,
				Return: int64(time.Since(begun))})
			mu.Unlock()
		}
	})
	if want := clients * each * 19 / 20; len(history) < want {
		t.Fatalf("%d operations answered, want at least %d", len(history), want)
	}
	if result := porcupine.CheckOperationsTimeout(accountModel, history, hangTimeout); result != porcupine.Ok {
		t.Errorf("no sequential order fits the answers: %s", result)
	}
	dbtest.CheckLedger(t, rs.fx.db)
}

// apply runs one operation. It reports false if the operation failed.
func (rs *replicas) apply(t *testing.T, replica int, in accountOp, key string) (accountResult, bool) {
	var body struct {
		CreditsBalance int64
		Error          struct{ Detail struct{ Available int64 } }
	}
	switch in.kind {
	case "grant", "refund": // posted from this process, as the webhook and admins do
		entry := ledger.Entry{UserID: in.account, Delta: models.Credits(in.credits), Reason: models.ReasonManual}
		if in.kind == "refund" {
			entry.Delta, entry.Reason = -entry.Delta, models.ReasonRefund
		}
		var posted ledger.Posted
		err := postgres.Transaction(t.Context(), rs.fx.db, func(tx models.Tx) (err error) {
			posted, err = ledger.Post(tx, entry)
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", in.kind, err)
		}
		return accountResult{balance: int64(posted.BalanceAfter)}, err == nil
	case "spend":
		r := rs.spend(t, replica, in.account, key)
		if err := json.Unmarshal([]byte(r.body), &body); err != nil || r.status != http.StatusCreated &&
			r.status != http.StatusPaymentRequired {
			t.Errorf("spend: status %d, want 201 or 402: %s", r.status, r.body)
			return accountResult{}, false
		}
		if r.status == http.StatusPaymentRequired {
			return accountResult{refused: true, balance: body.Error.Detail.Available}, true
		}
		return accountResult{balance: body.CreditsBalance}, true
	default:
		r := rs.call(t, replica, http.MethodGet, fmt.Sprintf("/api/credits/balance?userId=%d", in.account), "", "")
		if err := json.Unmarshal([]byte(r.body), &body); err != nil || r.status != http.StatusOK {
			t.Errorf("read: status %d, want 200: %s", r.status, r.body)
			return accountResult{}, false
		}
		return accountResult{balance: body.CreditsBalance}, true
	}
}

// The model rejects what clients would see without a lock, or with answers sent before the commit.
func TestLinearizableRejectsWrongHistories(t *testing.T) {
	op := func(from, until int64, kind string, credits, balance int64) porcupine.Operation {
		return porcupine.Operation{Input: accountOp{1, kind, credits}, Call: from, Output: accountResult{balance: balance},
			Return: until}
	}
	for name, history := range map[string][]porcupine.Operation{
		"two spends from one balance":   {op(0, 1, "grant", 10, 10), op(2, 5, "spend", 0, 5), op(3, 4, "spend", 0, 5)},
		"a balance from before a spend": {op(0, 1, "grant", 10, 10), op(2, 3, "spend", 0, 5), op(4, 5, "read", 0, 10)},
		"a spend of missing credits":    {op(0, 1, "grant", 4, 4), op(2, 3, "spend", 0, -1)},
	} {
		if porcupine.CheckOperations(accountModel, history) {
			t.Errorf("%s is accepted, want it rejected", name)
		}
	}
}
