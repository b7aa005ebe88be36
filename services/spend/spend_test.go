package spend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func setUp(t *testing.T, credits models.Credits) (*spend.Service, *gorm.DB, int64) {
	t.Helper()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com")
	err := postgres.Transaction(context.Background(), db, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: user.ID, Delta: credits, Reason: models.ReasonManual})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &spend.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	s.SetLockTimeout(dbtest.HangTimeout)
	return s, db, user.ID
}

func TestFeaturePrices(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	var rows []struct {
		Feature string
		Credits models.Credits
	}
	if err := db.Raw(`SELECT feature, credits FROM feature_prices`).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	stored := map[string]models.Credits{}
	for _, r := range rows {
		stored[r.Feature] = r.Credits
	}
	offered, err := (&spend.Service{DB: db}).Features(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range offered {
		names = append(names, fmt.Sprintf("%s %d", f.Feature, f.Credits))
	}
	want := []string{"resume_analysis 10", "job_match 5", "resume_improvement 15"}
	if !slices.Equal(names, want) || len(stored) != len(want) {
		t.Errorf("features are %v, stored %v, want %v", names, stored, want)
	}
}

func TestSpend(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 25)
	ctx := context.Background()

	t.Run("charges the feature's price once for a key", func(t *testing.T) {
		request := spend.Request{UserID: user, Feature: "resume_analysis", Key: "a",
			Metadata: json.RawMessage(`{"resume": 7, "job": "x"}`)}
		first, err := s.Spend(ctx, request)
		if err != nil || first.DeltaCredits != -10 || first.BalanceAfter != 15 {
			t.Fatalf("spend = %+v, %v; want -10 credits, 15 left", first, err)
		}
		request.Metadata = json.RawMessage(` {"job":"x","resume":7}`) // the same request in another notation
		again, err := s.Spend(ctx, request)
		if err != nil || !again.Replayed || again.ID != first.ID || again.BalanceAfter != 15 {
			t.Errorf("repeat = %+v, %v; want entry %d again", again, err, first.ID)
		}
	})
	t.Run("refuses the key for anything else", func(t *testing.T) {
		for name, request := range map[string]spend.Request{
			"another feature": {UserID: user, Feature: "job_match", Key: "a",
				Metadata: json.RawMessage(`{"resume": 7, "job": "x"}`)},
			"another metadata": {UserID: user, Feature: "resume_analysis", Key: "a", Metadata: json.RawMessage(`{"resume": 8}`)},
			"no metadata":      {UserID: user, Feature: "resume_analysis", Key: "a"},
		} {
			if _, err := s.Spend(ctx, request); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: error = %v, want conflict", name, err)
			}
		}
	})
	t.Run("refuses an uncovered spend and stores nothing", func(t *testing.T) {
		if _, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "resume_improvement"}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "later"})
		if !fault.Is(err, fault.InsufficientCredits) {
			t.Fatalf("error = %v, want insufficient credits", err)
		}
		var kept int64
		db.Raw(`SELECT count(*) FROM credit_transactions WHERE meta ->> 'idempotency_key' = 'later'`).Scan(&kept)
		if kept != 0 {
			t.Error("a refusal used up its key")
		}
	})
	dbtest.CheckLedger(t, db)
}

// metadataOf returns metadata of this many bytes.
func metadataOf(bytes int) json.RawMessage {
	return json.RawMessage(`{"a":"` + strings.Repeat("x", bytes-len(`{"a":""}`)) + `"}`)
}

// digits returns metadata with a number of this many digits.
func digits(n int) json.RawMessage { return json.RawMessage(`{"a":` + strings.Repeat("9", n) + `}`) }

func TestLimitsOfInput(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	for _, c := range []struct {
		name    string
		request spend.Request
		code    fault.Code
	}{
		{"unknown feature", spend.Request{Feature: "free_lunch"}, fault.Invalid},
		{"no feature", spend.Request{}, fault.Invalid},
		{"a reason that is not a feature", spend.Request{Feature: "manual"}, fault.Invalid},
		{"key of 256 characters", spend.Request{Feature: "job_match", Key: strings.Repeat("k", 256)}, fault.Malformed},
		{"key with a NUL", spend.Request{Feature: "job_match", Key: "a\x00b"}, fault.Malformed},
		{"metadata that is a list", spend.Request{Feature: "job_match", Metadata: json.RawMessage(`[1]`)}, fault.Invalid},
		{"metadata that is no JSON", spend.Request{Feature: "job_match", Metadata: json.RawMessage(`{"a":`)}, fault.Invalid},
		{"metadata with a NUL", spend.Request{Feature: "job_match", Metadata: json.RawMessage(`{"a":"\u0000"}`)},
			fault.Invalid},
		{"metadata with a number beyond all", spend.Request{Feature: "job_match",
			Metadata: json.RawMessage(`{"a":1e999999}`)}, fault.Invalid},
		{"metadata with a number next to nothing", spend.Request{Feature: "job_match",
			Metadata: json.RawMessage(`{"a":1e-20000}`)}, fault.Invalid},
		{"metadata of 8 KiB and a byte", spend.Request{Feature: "job_match", Metadata: metadataOf(8<<10 + 1)}, fault.Invalid},
		{"a number of 101 digits", spend.Request{Feature: "job_match", Metadata: digits(101)}, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.request.UserID = user
			if _, err := s.Spend(context.Background(), c.request); !fault.Is(err, c.code) {
				t.Errorf("error = %v, want %s", err, c.code)
			}
		})
	}
	longest := strings.Repeat("f", 50)
	if err := db.Exec(`INSERT INTO feature_prices (feature, credits, label_en, label_de) VALUES (?, 1, 'Long', 'Lang')`,
		longest).Error; err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]spend.Request{
		"a key of 255 characters in any script": {Feature: "job_match", Key: strings.Repeat("ü", 255)},
		"a feature of 50 characters":            {Feature: longest},
		"metadata of 8 KiB":                     {Feature: "job_match", Metadata: metadataOf(8 << 10)},
		"a number of 100 digits":                {Feature: "job_match", Metadata: digits(100)},
	} {
		t.Run("accepts "+name, func(t *testing.T) {
			request.UserID = user
			if _, err := s.Spend(context.Background(), request); err != nil {
				t.Errorf("spend: %v", err)
			}
		})
	}
	dbtest.CheckLedger(t, db)
}

func TestTwentyAtOnce(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	var ids [20]int64
	dbtest.Concurrently(20, func(i int) {
		posted, err := s.Spend(context.Background(), spend.Request{UserID: user, Feature: "resume_analysis", Key: "one"})
		if err != nil {
			t.Errorf("spend: %v", err)
		}
		ids[i] = posted.ID
	})
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("twenty repeats got entries %v, want one", ids)
		}
	}
	var spent, refused atomic.Int64
	dbtest.Concurrently(20, func(int) {
		_, err := s.Spend(context.Background(), spend.Request{UserID: user, Feature: "resume_improvement"})
		if err == nil {
			spent.Add(1)
		} else if fault.Is(err, fault.InsufficientCredits) {
			refused.Add(1)
		}
	})
	if spent.Load() != 6 || refused.Load() != 14 { // 90 credits left, 15 each
		t.Errorf("%d spent and %d refused, want 6 and 14", spent.Load(), refused.Load())
	}
	dbtest.CheckLedger(t, db)
}
