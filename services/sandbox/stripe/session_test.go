package stripe_test

import (
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestExpiredSessionCannotBePaid(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	expired, err := s.api.CheckoutSessions.Expire(session.ID, nil)
	if err != nil || expired.Status != "expired" || expired.URL != "" {
		t.Fatalf("expire: got %+v, %v", expired, err)
	}
	s.hooks.next(t, "checkout.session.expired")
	refused := s.post(t, session.URL, url.Values{"action": {"pay"}})
	if refused.StatusCode != http.StatusConflict || refused.text("h1") != "Diese Bezahlseite ist abgelaufen" ||
		refused.doc.Find("a#back").AttrOr("href", "") != *sessionParams("").CancelURL {
		t.Errorf("pay: got %d, %q", refused.StatusCode, refused.text("h1"))
	}
	if _, err := s.api.CheckoutSessions.Expire(session.ID, nil); err == nil {
		t.Error("expired twice")
	}
}

func TestSessionExpiresByTime(t *testing.T) {
	t.Parallel()
	database, hooks := dbtest.Empty(t), newReceiver(t)
	s := startOn(t, database, hooks)
	session := s.checkout(t, s.offer(t).ID)
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	_, err = db.ExecContext(t.Context(),
		`UPDATE stripe_sandbox.objects SET data = data || '{"expires_at": 1700000000}' WHERE kind = 'checkout.session'`)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatalf("let time pass: %v", err)
	}
	if got := s.post(t, session.URL, url.Values{"action": {"pay"}}).StatusCode; got != http.StatusConflict {
		t.Errorf("pay: got %d, want 409", got)
	}
	startOn(t, database, hooks) // looks for such sessions first of all
	hooks.next(t, "checkout.session.expired")
	if ended, err := s.api.CheckoutSessions.Get(session.ID, nil); err != nil || ended.Status != "expired" {
		t.Errorf("session: got %+v, %v", ended, err)
	}
}
