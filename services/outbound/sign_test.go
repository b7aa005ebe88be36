package outbound

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/seal"
)

// The vector is the specification's own.
// Source: https://github.com/standard-webhooks/standard-webhooks, TestWebhookSign of libraries/go
func TestSignatureIsThatOfTheSpecification(t *testing.T) {
	t.Parallel()
	s := &Service{secrets: seal.Secrets{current}}
	sealed := s.secrets.Seal(sealPurpose, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	got, err := s.sign([]string{sealed}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0),
		[]byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("signature = %q, %v, want %q", got, err, want)
	}
}

func TestSignatureNeedsASecretThatOpens(t *testing.T) {
	t.Parallel()
	s := &Service{secrets: seal.Secrets{current}}
	lost := seal.Secrets{older}.Seal(sealPurpose, []byte(newSecret()))
	if _, err := s.sign([]string{lost}, "msg_1", time.Now(), nil); !errors.Is(err, errSecret) {
		t.Errorf("sign = %v, want %v", err, errSecret)
	}
	got, err := s.sign([]string{lost, s.secrets.Seal(sealPurpose, []byte(newSecret()))}, "msg_1", time.Now(), nil)
	if err != nil || strings.Count(got, "v1,") != 1 {
		t.Errorf("sign with one of two secrets = %q, %v, want one signature", got, err)
	}
}

// Secrets survive the rotation of SESSION_SECRET, once a server has started with both.
func TestResealedSecretsOutliveTheOldSessionSecret(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	f.secrets = seal.Secrets{older}
	_, secret := f.add(r.URL)
	f.secrets = seal.Secrets{current, older}
	for range 2 {
		f.must(f.Reseal(t.Context()))
	}
	f.secrets = seal.Secrets{current}
	f.book(100)
	f.pass()
	if got := r.received(); len(got) != 1 || !got[0].verify(t, secret) {
		t.Errorf("%d requests, want one that the endpoint's secret verifies", len(got))
	}
}

// The database and the audit log never hold a secret.
func TestSecretsAreStoredSealed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint, first := f.add("https://example.com/hook?token=t0k3n")
	second, err := f.Rotate(t.Context(), endpoint.ID, "")
	f.must(err)
	for _, text := range []string{first, second, strings.TrimPrefix(first, "whsec_")} {
		if n := f.count(`SELECT count(*) FROM webhook_secrets WHERE sealed LIKE '%' || ? || '%'`, text); n != 0 {
			t.Errorf("%d secrets are stored in plain text, want 0", n)
		}
	}
	if n := f.count(`SELECT count(*) FROM audit_log WHERE detail::text LIKE '%whsec_%' OR detail::text LIKE '%t0k3n%'`); n != 0 {
		t.Errorf("%d audit entries name a secret, want 0", n)
	}
	if n := f.count(`SELECT count(*) FROM audit_log WHERE action IN ('webhook.add', 'webhook.rotate')`); n != 2 {
		t.Errorf("%d audit entries, want 2", n)
	}
}

// For a day after a rotation, a receiver verifies with either secret.
func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := newReceiver(t, nil)
	endpoint, first := f.add(r.URL)
	second, err := f.Rotate(t.Context(), endpoint.ID, "form 1")
	f.must(err)
	if again, err := f.Rotate(t.Context(), endpoint.ID, "form 1"); err != nil || again != "" {
		t.Errorf("the same form rotates again: %v, want no new secret", err)
	}
	third, err := f.Rotate(t.Context(), endpoint.ID, "form 2")
	f.must(err)
	verifies := func(want [3]bool) {
		t.Helper()
		f.book(1)
		f.pass()
		all := r.received()
		got := all[len(all)-1]
		for i, secret := range []string{first, second, third} {
			if good := got.verify(t, secret); good != want[i] {
				t.Errorf("secret %d verifies: %v, want %v", i+1, good, want[i])
			}
		}
	}
	verifies([3]bool{true, true, true})
	overlap := f.count(`SELECT extract(epoch FROM expires_at - now())::int FROM webhook_secrets ORDER BY id LIMIT 1`)
	if day := int64(RotationOverlap.Seconds()); overlap > day || overlap < day-int64(dbtest.HangTimeout.Seconds()) {
		t.Errorf("a rotated secret ends in %d s, want a day", overlap)
	}
	f.exec(`UPDATE webhook_secrets SET expires_at = expires_at - interval '24 hours' WHERE expires_at IS NOT NULL`)
	verifies([3]bool{false, false, true})
	_, err = f.Sweep(t.Context())
	f.must(err)
	if n := f.count(`SELECT count(*) FROM webhook_secrets`); n != 1 {
		t.Errorf("%d secrets after the sweep, want 1", n)
	}
}
