package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
	events "github.com/resume-matcher/credits/services/webhook"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// Stripe reads only the status: 2xx means that the event is stored, and anything else makes Stripe send it again.
func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	const secret = "whsec_test_0123456789"
	db, quiet := dbtest.New(t), slog.New(slog.DiscardHandler)
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	app := NewApp(&Handler{Site: Site{AppURL: "http://localhost", Texts: texts, Log: quiet},
		Webhook: &events.Service{DB: db, Purchase: &purchase.Service{DB: db, Now: models.Now, Log: quiet},
			Secrets: []string{secret}, Now: models.Now, Log: quiet}})
	post := func(payload, signature string, header ...string) int {
		t.Helper()
		r := httptest.NewRequestWithContext(context.Background(), "POST", "/api/stripe/webhook", strings.NewReader(payload))
		r.Header.Set("Stripe-Signature", signature)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		res, err := app.Test(r, -1)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	sign := func(payload string) string {
		now := models.Now()
		return fmt.Sprintf("t=%d,v1=%x", now.Unix(), webhook.ComputeSignature(now, []byte(payload), secret))
	}
	ping := func(id string) string {
		return fmt.Sprintf(
			`{"id":%q,"object":"event","type":"ping","livemode":false,"created":1800000000,"data":{"object":{"id":"x"}}}`, id)
	}
	large := ping("evt_" + strings.Repeat("x", 2<<20))
	for name, c := range map[string]struct {
		payload, signature string
		header             []string
		want               int
	}{
		"a signed event": {payload: ping("evt_1"), want: 200},
		"a wrong Content-Encoding": {payload: ping("evt_2"), header: []string{"Content-Encoding", "gzip"},
			want: 200},
		"another site's request": {payload: ping("evt_3"),
			header: []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, want: 200},
		"no signature":              {payload: ping("evt_4"), signature: "-", want: 400},
		"a byte that is not signed": {payload: ping("evt_5") + " ", signature: sign(ping("evt_5")), want: 400},
		"two signatures, the second invalid": {payload: ping("evt_7"), header: []string{"Stripe-Signature", "t=1,v1=00"},
			want: 400},
		"two valid signatures": {payload: ping("evt_8"), header: []string{"Stripe-Signature", sign(ping("evt_8"))},
			want: 400},
		"two signatures in one header": {payload: ping("evt_9"), signature: sign(ping("evt_9")) + ", " + sign(ping("evt_9")),
			want: 400},
		"2 MiB": {payload: large, want: 413},
	} {
		t.Run(name, func(t *testing.T) {
			signature := c.signature
			if signature == "" {
				signature = sign(c.payload)
			}
			for range 2 {
				if got := post(c.payload, signature, c.header...); got != c.want {
					t.Errorf("status %d, want %d", got, c.want)
				}
			}
		})
	}
	var stored int64
	if err := db.Raw(`SELECT count(*) FROM stripe_events`).Scan(&stored).Error; err != nil || stored != 3 {
		t.Errorf("%d events are stored (%v), want the 3 that got 200", stored, err)
	}
	if err := postgres.Close(db); err != nil {
		t.Fatal(err)
	}
	if got := post(ping("evt_6"), sign(ping("evt_6"))); got < 500 {
		t.Errorf("status %d without a database, want 5xx", got)
	}
}
