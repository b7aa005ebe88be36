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
	"github.com/resume-matcher/credits/services/stripeapi"
)

// TestStripeMock makes the product's calls to stripe-mock, an independent implementation of Stripe's API.
func TestStripeMock(t *testing.T) {
	t.Parallel()
	api := stripeapi.New(testKey, startMock(t)) // shared: it takes a second to start, and has no state
	for name, call := range contract {
		t.Run("accepts "+name, func(t *testing.T) {
			if err := call(api); err != nil {
				t.Error(err)
			}
		})
	}
	for name, call := range refusable {
		t.Run("refuses "+name, func(t *testing.T) {
			var refusal *stripe.Error
			if err := call(api); !errors.As(err, &refusal) || refusal.HTTPStatusCode != http.StatusBadRequest {
				t.Errorf("error = %v, want status 400", err)
			}
		})
	}
	t.Run("accepts the product's own requests", func(t *testing.T) { productAgainst(t, api) })
	t.Run("lists a refund of another payment, which is not booked", func(t *testing.T) { foreignRefund(t, api) })
}

// productAgainst runs the product against stripe-mock, with the parameters that it really sends.
func productAgainst(t *testing.T, api *client.API) {
	t.Helper()
	ctx := context.Background()
	db := dbtest.New(t)
	s := &purchase.Service{DB: db, Stripe: api, AppURL: "https://credits.example.com", Now: models.Now,
		Log:       slog.New(slog.DiscardHandler),
		OrderText: func(string, models.Credits) string { return "Ihre Bestellung: 500 Credits" }}
	if _, err := (&catalog.Service{DB: db, Stripe: api, Log: s.Log,
		Description: func(int64) string { return "50 Lebenslauf-Analysen" }}).Sync(ctx); err != nil {
		t.Errorf("sync prices: %v", err)
	}
	if err := db.Exec(
		`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 500, 2000)`).Error; err != nil {
		t.Fatal(err)
	}
	ada := dbtest.User(t, db, "ada@example.com")
	s.Now = func() time.Time { return time.Unix(1_000_000_000, 0).UTC() } // the mock's sessions expired long ago
	for key, tax := range map[string]purchase.Tax{"taxed": {Automatic: true, IDs: true},
		"small": {IDs: true, Note: map[string]string{"de": "§ 19 UStG"}}} {
		s.Tax = tax
		if _, err := s.Start(ctx, purchase.Order{UserID: ada.ID, PriceID: "price_1", Quantity: 1, Locale: "de",
			Key: key}); err != nil {
			t.Errorf("start %s: %v", key, err)
		}
	}
	s.Tax = purchase.Tax{}
	// the mock has one session for all
	if err := db.Exec(`UPDATE purchases SET checkout_session_id = NULL`).Error; err != nil {
		t.Fatal(err)
	}
	started, err := s.Start(ctx, purchase.Order{UserID: ada.ID, PriceID: "price_1", Quantity: 2, Locale: "de",
		Key: "form"})
	s.Now = models.Now
	if err != nil || started.URL == "" {
		t.Errorf("start = %+v, %v; want an address to pay at", started, err)
	}
	if outcome, n, err := s.Refresh(ctx, started.PurchaseID.String()); err != nil || n != 0 ||
		outcome != purchase.RefreshUnpaid {
		t.Errorf("refresh of an open session = %q, %d entries, %v; want unpaid, 0", outcome, n, err)
	}
	if report, err := (&reconcile.Service{DB: db, Purchase: s, Now: models.Now, Log: s.Log}).Once(ctx); err != nil ||
		len(report.Findings) != 0 {
		t.Errorf("reconcile = %+v, %v; want no findings", report.Findings, err)
	}
}

// foreignRefund refreshes the refunds of a payment while the mock lists a refund of another payment, as a faulty server
// could.
func foreignRefund(t *testing.T, api *client.API) {
	t.Helper()
	list := api.Refunds.List(&stripe.RefundListParams{PaymentIntent: stripe.String("pi_ours")})
	found := 0
	for list.Next() {
		found++
		if re := list.Refund(); re.PaymentIntent != nil && re.PaymentIntent.ID == "pi_ours" {
			t.Errorf("refund %s is ours: the mock no longer ignores the filter", re.ID)
		}
	}
	if err := list.Err(); err != nil || found == 0 {
		t.Errorf("%d refunds, %v; want one of another payment", found, err)
	}
	db := dbtest.New(t)
	s := &purchase.Service{DB: db, Stripe: api, Now: models.Now, Log: slog.New(slog.DiscardHandler)}
	err := db.Exec(`INSERT INTO stripe_charges (charge_id, payment_ref, amount, amount_refunded, currency, reread_at)
		VALUES ('ch_ours', 'pi_ours', 3500, 1000, 'eur', now() - interval '1 minute')`).Error
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RefreshRefundsDue(context.Background()); err != nil {
		t.Errorf("refresh the refunds: %v", err)
	}
	var stored, due int64
	err = db.Raw(
		`SELECT (SELECT count(*) FROM stripe_refunds), (SELECT count(*) FROM stripe_charges WHERE reread_at IS NOT NULL)`).Row().Scan(&stored, &due)
	if err != nil || stored != 0 || due != 0 {
		t.Errorf("%d refunds of another payment stored, %d refreshes still due (%v), want 0 and 0", stored, due, err)
	}
}

// TestEveryStripeCallIsUnderContract finds the calls of stripe-go's client in the product's source.
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
				t.Errorf("%s calls Stripe's %s, which is missing in contract", path, call)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Errorf("%d calls found, want at least 10", found)
	}
}

// stripeCalls returns the calls x.Resource.Method(…) that stripe-go's client has.
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
