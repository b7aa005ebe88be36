package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// A download of 10,000 entries is complete before its first byte is sent, so losing the database does not truncate it.
func TestDownloadSurvivesLosingTheDatabase(t *testing.T) {
	t.Parallel()
	fx := newFixture(t, 1)
	s := start(t, "DATABASE_URL="+fx.url+"&application_name="+serverName, "LOG_LEVEL=warn")
	v := newVisitor(s, "en")
	v.signInAs("ada@example.com")
	user := fx.count(t, `SELECT id FROM users WHERE email = 'ada@example.com'`)
	// More than the buffers between the server and a stalled reader can hold.
	fx.exec(t, `WITH entries AS (INSERT INTO credit_transactions (user_id, delta_credits, reason, meta)
		SELECT ?::int, 1, 'manual', jsonb_build_object('note', repeat('x', 2400)) FROM generate_series(1, 10000) RETURNING 1)
		UPDATE users SET credits_balance = (SELECT count(*) FROM entries) WHERE id = ?::int`, user, user)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/en/history.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	start := make([]byte, 1<<10)
	if _, err := io.ReadFull(res.Body, start); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("start of the file: status %d, %v, want 200", res.StatusCode, err)
	}
	fx.disconnect(t)
	rest, err := io.ReadAll(res.Body)
	lines := strings.Count(string(start)+string(rest), "\n") - 1
	if err != nil || lines != 10_000 {
		t.Errorf("file ends after %d lines with %v, want 10,000 and no error", lines, err)
	}
	dbtest.Eventually(t, "the next file is complete", func() bool { // once the server has reconnected
		again, text := request(t, v.client, http.MethodGet, s.url+"/en/history.csv", "", nil)
		return again.StatusCode == http.StatusOK && strings.Count(text, "\n") == 10_001
	})
	v.open("/en/history")
	if rows := v.doc.Find("main tbody tr").Length(); v.status != http.StatusOK || rows == 0 || rows > 100 {
		t.Errorf("page of the history: status %d, %d rows; want 200 and at most 100", v.status, rows)
	}
	dbtest.CheckLedger(t, fx.db)
}
