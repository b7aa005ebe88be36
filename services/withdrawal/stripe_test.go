package withdrawal_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// fakeStripe makes refunds, one for each idempotency key.
type fakeStripe struct {
	*httptest.Server
	mu   sync.Mutex
	made []map[string]any
	keys map[string]map[string]any
	down bool // answers 500 without making a refund
	deaf bool // makes the refund and answers 500
}

func newFakeStripe(t *testing.T) *fakeStripe {
	t.Helper()
	f := &fakeStripe{keys: map[string]map[string]any{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.answer))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeStripe) answer(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Stripe-Should-Retry", "false")
	key := r.Header.Get("Idempotency-Key")
	if r.Method == http.MethodPost && !f.down && f.keys[key] == nil {
		amount, _ := strconv.Atoi(r.FormValue("amount"))
		f.keys[key] = map[string]any{"id": fmt.Sprintf("re_%d", len(f.made)+1), "object": "refund", "amount": amount,
			"currency": "eur", "status": "succeeded", "charge": "ch_1", "payment_intent": r.FormValue("payment_intent"),
			"metadata": map[string]string{"refund_request": r.FormValue("metadata[refund_request]")}}
		f.made = append(f.made, f.keys[key])
	}
	switch {
	case f.down || f.deaf:
		http.Error(w, `{"error":{"type":"api_error","message":"away"}}`, http.StatusInternalServerError)
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": f.made})
	default:
		_ = json.NewEncoder(w).Encode(f.keys[key])
	}
}

// set chooses what Stripe does: answer, fail, or create refunds and lose its answers.
func (f *fakeStripe) set(down, deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.deaf = down, deaf
}

// amounts lists the refunds, in cents.
func (f *fakeStripe) amounts() (cents []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, refund := range f.made {
		amount, _ := refund["amount"].(int)
		cents = append(cents, amount)
	}
	return cents
}
