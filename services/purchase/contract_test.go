package purchase_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/sandbox/stripe/conformance"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// TestStripeMock makes the product's calls to a Stripe that somebody else wrote.
func TestStripeMock(t *testing.T) {
	t.Parallel()
	api := stripeapi.New(testKey, conformance.StartMock(t)) // one for all: it takes a second to start, and remembers nothing
	for name, call := range contract {
		t.Run("takes "+name, func(t *testing.T) {
			if err := call(api); err != nil {
				t.Error(err)
			}
		})
	}
	for name, call := range refusable {
		t.Run("refuses "+name, func(t *testing.T) {
			var refusal *stripe.Error
			if err := call(api); !errors.As(err, &refusal) || refusal.HTTPStatusCode != http.StatusBadRequest {
				t.Errorf("error = %v, want it refused", err)
			}
		})
	}
	t.Run("takes what the product itself sends", func(t *testing.T) { productAgainst(t, api) })
	t.Run("answers with a refund of another payment", func(t *testing.T) { foreignRefund(t, api) })
}

// productAgainst lets the product make its calls itself, with the parameters that it really sends.
func productAgainst(t *testing.T, api *client.API) {
	t.Helper()
	ctx := context.Background()
	db := dbtest.New(t)
	s := &purchase.Service{DB: db, Stripe: api, AppURL: "https://credits.example.com", Now: models.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := (&catalog.Service{DB: db, Stripe: api, Log: s.Log}).Sync(ctx); err != nil {
		t.Errorf("sync prices: %v", err)
	}
	if err := db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 500, 2000)`).Error; err != nil {
		t.Fatal(err)
	}
	ada := dbtest.User(t, db, "ada@example.com")
	s.Now = func() time.Time { return time.Unix(1_000_000_000, 0).UTC() } // the mock's sessions are from long ago
	for key, tax := range map[string]purchase.Tax{"taxed": {Automatic: true, IDs: true}, "small": {IDs: true, Note: map[string]string{"de": "§ 19 UStG"}}} {
		s.Tax = tax
		if _, err := s.Start(ctx, purchase.Order{UserID: ada.ID, PriceID: "price_1", Quantity: 1, Locale: "de", Key: key}); err != nil {
			t.Errorf("start %s: %v", key, err)
		}
	}
	s.Tax = purchase.Tax{}
	if err := db.Exec(`UPDATE purchases SET checkout_session_id = NULL`).Error; err != nil { // the mock has one session for all
		t.Fatal(err)
	}
	started, err := s.Start(ctx, purchase.Order{UserID: ada.ID, PriceID: "price_1", Quantity: 2, Locale: "de", Key: "form"})
	s.Now = models.Now
	if err != nil || started.URL == "" {
		t.Errorf("start = %+v, %v; want a page to pay on", started, err)
	}
	if n, err := s.Refresh(ctx, started.PurchaseID.String()); n != 0 || !errors.Is(err, purchase.ErrNotOurs) {
		t.Errorf("check of an open session = %d, %v; want not ours", n, err)
	}
	if report, err := (&reconcile.Service{DB: db, Purchase: s, Now: models.Now, Log: s.Log}).Once(ctx); err != nil || len(report.Findings) != 0 {
		t.Errorf("reconcile = %+v, %v; want nothing of ours", report.Findings, err)
	}
}

// foreignRefund makes the list of a payment's refunds dangerous to believe: the mock answers with a refund of another
// payment, as a faulty server could. It must not be booked.
func foreignRefund(t *testing.T, api *client.API) {
	t.Helper()
	list := api.Refunds.List(&stripe.RefundListParams{PaymentIntent: stripe.String("pi_ours")})
	found := 0
	for list.Next() {
		found++
		if re := list.Refund(); re.PaymentIntent != nil && re.PaymentIntent.ID == "pi_ours" {
			t.Errorf("refund %s is ours: this test says nothing any more", re.ID)
		}
	}
	if err := list.Err(); err != nil || found == 0 {
		t.Errorf("%d refunds, %v; want a foreign one", found, err)
	}
	db := dbtest.New(t)
	s := &purchase.Service{DB: db, Stripe: api, Now: models.Now, Log: slog.New(slog.DiscardHandler)}
	err := db.Exec(`INSERT INTO stripe_charges (charge_id, payment_ref, amount, amount_refunded, currency, reread_at)
		VALUES ('ch_ours', 'pi_ours', 3500, 1000, 'eur', now() - interval '1 minute')`).Error
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RefreshRefundsDue(context.Background()); err != nil {
		t.Errorf("read the refunds again: %v", err)
	}
	var kept, marked int64
	err = db.Raw(`SELECT (SELECT count(*) FROM stripe_refunds), (SELECT count(*) FROM stripe_charges WHERE reread_at IS NOT NULL)`).Row().Scan(&kept, &marked)
	if err != nil || kept != 0 || marked != 0 {
		t.Errorf("%d foreign refunds kept, %d charges still marked (%v), want none", kept, marked, err)
	}
}

// TestEveryStripeCallIsUnderContract reads the product's source for calls of stripe-go's client.
func TestEveryStripeCallIsUnderContract(t *testing.T) {
	t.Parallel()
	const root = "../.."
	found := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "sandbox" || entry.Name() == "node_modules" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, call := range stripeCalls(file) {
			found++
			if contract[call] == nil {
				t.Errorf("%s calls Stripe's %s, which stripe-mock is not asked for: add it to contract", path, call)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 { // the number when this was written
		t.Errorf("%d calls found: the search is broken", found)
	}
}

// stripeCalls are the calls x.Resource.Method(…) for which stripe-go's client has such a resource with such a method.
func stripeCalls(file *ast.File) []string {
	var calls []string
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		resource, ok := method.X.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if field, ok := reflect.TypeFor[client.API]().FieldByName(resource.Sel.Name); ok {
			if _, ok := field.Type.MethodByName(method.Sel.Name); ok {
				calls = append(calls, resource.Sel.Name+"."+method.Sel.Name)
			}
		}
		return true
	})
	return calls
}
