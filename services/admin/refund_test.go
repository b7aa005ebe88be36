package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// stripeRefunds serves Stripe's refund API: one refund per idempotency key. keys counts them.
func stripeRefunds(t *testing.T, currency string) (address string, keys *atomic.Int64) {
	t.Helper()
	keys = &atomic.Int64{}
	seen := make(chan map[string]string, 1)
	seen <- map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := <-seen
		defer func() { seen <- known }()
		key := r.Header.Get("Idempotency-Key")
		if known[key] == "" {
			known[key] = fmt.Sprintf("re_%d", keys.Add(1))
		}
		fmt.Fprintf(w,
			`{"id":%q,"object":"refund","amount":%s,"currency":%q,"status":"succeeded","payment_intent":%q,"charge":"ch_1"}`,
			known[key], r.FormValue("amount"), currency, r.FormValue("payment_intent"))
	}))
	t.Cleanup(server.Close)
	return server.URL, keys
}

func TestRefund(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	boss, ada := dbtest.User(t, db, "admin@example.com"), dbtest.User(t, db, "ada@example.com")
	address, keys := stripeRefunds(t, "eur")
	quiet := slog.New(slog.DiscardHandler)
	buy := &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789", address), Now: models.Now, Log: quiet}
	s := &admin.Service{DB: db, Purchase: buy, Log: quiet}
	ctx := context.Background()
	id := uuid.Must(uuid.NewV7())
	err := db.Exec(
		`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 1, 500, 2000, 'eur', 'en', 'k', 'cs_1')`, id, ada.ID).Error
	if err == nil {
		_, err = buy.BookFetched(ctx, purchase.Checkout{
			ID: "cs_1", PaymentStatus: "paid", PaymentIntent: "pi_1", Currency: "eur", Subtotal: 2000, Paid: 2000,
		}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	good := admin.Refund{
		ActorID: boss.ID, PurchaseID: id, Cents: 400, Note: " asked for ", Key: "form", RequestID: "req_1",
	}
	balance := func() models.Credits {
		var user models.User
		if err := db.Take(&user, ada.ID).Error; err != nil {
			t.Fatal(err)
		}
		return user.CreditsBalance
	}

	t.Run("refuses bad input before writing anything", func(t *testing.T) {
		for name, change := range map[string]func(*admin.Refund){
			"empty reason":      func(r *admin.Refund) { r.Note = " \n" },
			"reason too long":   func(r *admin.Refund) { r.Note = strings.Repeat("ä", 501) },
			"reason with NUL":   func(r *admin.Refund) { r.Note = "x\x00" },
			"empty key":         func(r *admin.Refund) { r.Key = "" },
			"zero amount":       func(r *admin.Refund) { r.Cents = 0 },
			"above the payment": func(r *admin.Refund) { r.Cents = 2001 },
			"outdated form":     func(r *admin.Refund) { r.Seen = 5 },
			"unknown purchase":  func(r *admin.Refund) { r.PurchaseID = uuid.New() },
		} {
			r := good
			change(&r)
			if _, err := s.Refund(ctx, r); fault.Of(err) == nil {
				t.Errorf("%s: error = %v, want a fault", name, err)
			}
		}
		var rows int64
		err := db.Raw(`SELECT (SELECT count(*) FROM refund_requests) + (SELECT count(*) FROM audit_log)`).Scan(&rows).Error
		if err != nil || rows != 0 || keys.Load() != 0 {
			t.Errorf("%d rows and %d refunds at Stripe (%v), want none", rows, keys.Load(), err)
		}
	})
	t.Run("refunds once for twenty concurrent posts of one form", func(t *testing.T) {
		dbtest.Concurrently(20, func(int) {
			request, err := s.Refund(ctx, good)
			if err != nil || request.Status != models.RefundSent || request.RefundID != "re_1" ||
				request.ActorID == nil || *request.ActorID != boss.ID || request.Note != "asked for" {
				t.Errorf("request = %+v, %v; want the sent one", request, err)
			}
		})
		if keys.Load() != 1 || balance() != 400 {
			t.Errorf("%d refunds and balance %d credits, want 1 and 400", keys.Load(), balance())
		}
		entries, _, err := s.Audit(ctx, admin.AuditQuery{Limit: 50})
		if err != nil || len(entries) != 1 || entries[0].Action != "purchase.refund" || *entries[0].ActorID != boss.ID ||
			*entries[0].UserID != ada.ID || entries[0].RequestID != "req_1" {
			t.Fatalf("audit = %+v, %v; want one refund by the admin", entries, err)
		}
		var detail map[string]any
		if err := json.Unmarshal(entries[0].Detail, &detail); err != nil || detail["cents"] != 400.0 ||
			detail["currency"] != "eur" || detail["note"] != "asked for" || detail["purchase_id"] != id.String() {
			t.Errorf("audit detail = %v, %v; want 400 cents eur of purchase %s", detail, err, id)
		}
	})
	t.Run("refunds once when two admins send the same page", func(t *testing.T) {
		conflicts, colleague := atomic.Int64{}, dbtest.User(t, db, "colleague@example.com")
		dbtest.Concurrently(2, func(i int) {
			r := good
			r.Seen, r.Key, r.ActorID = 400, fmt.Sprint(i), []int64{boss.ID, colleague.ID}[i]
			if _, err := s.Refund(ctx, r); fault.Is(err, fault.Conflict) {
				conflicts.Add(1)
			} else if err != nil {
				t.Errorf("refund: %v", err)
			}
		})
		if conflicts.Load() != 1 || keys.Load() != 2 || balance() != 300 {
			t.Errorf("%d conflicts, %d refunds and balance %d credits, want 1, 2 and 300",
				conflicts.Load(), keys.Load(), balance())
		}
	})
	t.Run("locks the user before the admin", func(t *testing.T) {
		colleague := dbtest.User(t, db, "later@example.com")
		held := db.Begin()
		defer held.Rollback()
		if err := held.Exec(`SELECT 1 FROM users WHERE id = ? FOR UPDATE`, ada.ID).Error; err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			r := good
			r.Seen, r.Key, r.ActorID = 800, "waits", colleague.ID
			_, err := s.Refund(ctx, r)
			done <- err
		}()
		dbtest.WaitForBlocked(t, db, 1)
		if err := held.Exec(`SELECT 1 FROM users WHERE id = ? FOR UPDATE NOWAIT`, colleague.ID).Error; err != nil {
			t.Errorf("lock the admin while the refund waits: error = %v, want none", err)
		}
		held.Commit()
		if err := <-done; err != nil {
			t.Errorf("refund: %v", err)
		}
	})
	t.Run("refunds and grants each other without a deadlock", func(t *testing.T) {
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 0 {
				_, err := s.Grant(ctx, admin.Grant{
					ActorID: ada.ID, UserID: boss.ID, Delta: 1, Note: "thanks", Key: fmt.Sprint(i),
				})
				if err != nil {
					t.Errorf("grant: %v", err)
				}
				return
			}
			r := good
			r.Seen, r.Cents, r.Key = 1200, 4, fmt.Sprint("cross ", i)
			if _, err := s.Refund(ctx, r); err != nil && !fault.Is(err, fault.Conflict) {
				t.Errorf("refund: %v", err)
			}
		})
	})
	dbtest.CheckLedger(t, db)
}
