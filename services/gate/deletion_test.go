package gate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/gate"
)

// guarded makes both replicas watch the add-on of a Resume Matcher.
func (m *matcher) guarded() *changing {
	m.Helper()
	c := newChanging(m.T, same, m.app)
	for _, s := range m.replicas {
		s.Upstream, s.AddOn, s.Log = c.addOn.Upstream(), c.addOn, m.spend.Log
	}
	return c
}

// wantDeletion checks the open deletion: how often it was tried and why it failed; "" for none.
func (m *matcher) wantDeletion(what string, attempts int, cause models.Cause) {
	m.Helper()
	var row struct {
		DeletionAttempts int
		DeletionCause    models.Cause
	}
	m.must(m.db.Raw(`SELECT deletion_attempts, deletion_cause FROM gate_users WHERE user_id = ?`, m.user).Scan(&row).Error)
	if row.DeletionAttempts != attempts || row.DeletionCause != cause {
		m.Errorf("%s: %d attempts, cause %q; want %d and %q", what, row.DeletionAttempts, row.DeletionCause, attempts, cause)
	}
}

// due makes the deletion due now.
func (m *matcher) due() {
	m.Helper()
	m.exec(`UPDATE gate_users SET deletion_due_at = now() - interval '1 hour' WHERE deletion_due_at IS NOT NULL`)
}

// deletions counts the requests to delete a tenant that Resume Matcher saw.
func (m *matcher) deletions() (n int) {
	for _, r := range m.app.Seen() {
		if r.Route == "DELETE "+gate.TenantPath {
			n++
		}
	}
	return n
}

func (m *matcher) audited(action models.Action) (n int64) {
	m.Helper()
	m.must(m.db.Model(&models.AuditEntry{}).Where("action = ?", action.String()).Count(&n).Error)
	return n
}

// kept counts the resumes that Resume Matcher has of the user.
func (m *matcher) kept() int { return len(m.ask(get("/resumes/list"))["data"].([]any)) }

// Deleting an account deletes its resumes at Resume Matcher, once no request can still run, and then the tenant id.
func TestDeletedAccountLosesItsResumes(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.guarded()
	s := m.replicas[0]
	m.must(s.DeleteDue(t.Context()))
	m.wantDeletion("before the deletion", 0, "")
	m.must(m.accounts().Delete(t.Context(), m.user))
	m.wantDeletion("after the deletion", 0, models.CauseResumesDue)
	m.must(s.DeleteDue(t.Context()))
	m.wantDeletion("while requests may still run", 0, models.CauseResumesDue)
	if n := m.kept(); n == 0 || m.deletions() != 0 {
		t.Errorf("%d resumes and %d requests to delete them, want some and 0", n, m.deletions())
	}
	m.exec(`UPDATE gate_users SET deletion_due_at = now() - interval '3 minutes' - interval '1 minute'`) // the limit here
	m.must(s.DeleteDue(t.Context()))
	if n := m.kept(); n != 0 || m.rows("gate_users") != 0 || m.audited(models.ActionResumesDelete) != 1 {
		t.Errorf("%d resumes, %d tenant ids, %d audit entries; want 0, 0 and 1", n, m.rows("gate_users"),
			m.audited(models.ActionResumesDelete))
	}
	m.must(s.DeleteDue(t.Context()))
	if n := m.deletions(); n != 1 {
		t.Errorf("Resume Matcher was asked %d times, want once", n)
	}
}

// The users of a household share their resumes, so a deletion keeps them.
func TestDeletedAccountOfAHouseholdLeavesTheResumes(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	accounts := m.accounts()
	accounts.Shared = true
	m.must(accounts.Delete(t.Context(), m.user))
	m.wantDeletion("a household", 0, "")
	m.due()
	m.must(m.replicas[0].DeleteDue(t.Context()))
	if n := m.deletions(); n != 0 || m.rows("gate_users") != 1 {
		t.Errorf("Resume Matcher was asked %d times, %d tenant ids; want 0 and 1", n, m.rows("gate_users"))
	}
}

// A deletion is tried until Resume Matcher confirms it, however it answers and however long it is away.
func TestDeletionIsTriedUntilItIsDone(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	c := m.guarded()
	m.must(m.accounts().Delete(t.Context(), m.user))
	status, body, echo := http.StatusOK, "", true
	deleting := func(answer func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				answer(w, r)
				return
			}
			m.app.ServeHTTP(w, r)
		}
	}
	c.serve(deleting(func(w http.ResponseWriter, r *http.Request) {
		if echo {
			w.Header().Set("X-Credits-User", r.Header.Get("X-Credits-User"))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	attempts := 0
	fails := func(what string, cause models.Cause) {
		t.Helper()
		attempts++
		m.due()
		if err := m.replicas[attempts%2].DeleteDue(t.Context()); err == nil {
			t.Errorf("%s: no error, want %s", what, cause)
		}
		m.wantDeletion(what, attempts, cause)
	}
	for _, status = range []int{404, 405, 500, 503, 204, 307, 401} {
		fails(http.StatusText(status), models.CauseResumesKept.Of(strconv.Itoa(status)))
	}
	status = http.StatusConflict
	fails("a request that runs", models.CauseResumesInUse)
	status, body, echo = http.StatusOK, "<html>Welcome</html>", false
	fails("another server's answer", models.CauseResumesKept.Of("200"))
	c.serve(deleting(func(w http.ResponseWriter, r *http.Request) {
		m.app.ServeHTTP(&discarding{}, r) // it deletes, and the connection breaks before the answer
		hangUp(w, r)
	}))
	fails("an answer that never arrives", models.CauseResumesAway)
	c.serve(http.HandlerFunc(hangUp))
	for range 12 {
		c.wait(time.Hour)
		fails("away for hours", models.CauseResumesAway)
	}
	var pause float64
	m.must(m.db.Raw(`SELECT extract(epoch FROM deletion_due_at - now()) FROM gate_users`).Scan(&pause).Error)
	if pause < 14*60 || pause > 15*60 {
		t.Errorf("the next attempt is in %.0f s, want in 15 minutes", pause)
	}
	c.serve(m.app)
	c.wait(time.Hour)
	m.due()
	m.must(m.replicas[0].DeleteDue(t.Context()))
	if n := m.kept(); n != 0 || m.rows("gate_users") != 0 {
		t.Errorf("%d resumes and %d tenant ids, want none", n, m.rows("gate_users"))
	}
}

// discarding is a ResponseWriter that discards the answer.
type discarding struct{ header http.Header }

func (d *discarding) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}
func (*discarding) Write(b []byte) (int, error) { return len(b), nil }
func (*discarding) WriteHeader(int)             {}

// Twenty workers of two replicas share the deletions: each is asked for once.
func TestTwentyWorkersAskOnceForEachDeletion(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.guarded()
	const users = 12
	for i := range users {
		id := m.user
		if i > 0 {
			id = dbtest.User(t, m.db, fmt.Sprintf("user%d@example.com", i)).ID
		}
		_, err := m.replicas[0].TenantID(t.Context(), id)
		m.must(err)
		m.must(m.accounts().Delete(t.Context(), id))
	}
	m.due()
	dbtest.Concurrently(20, func(i int) {
		if err := m.replicas[i%2].DeleteDue(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if n, lines := m.deletions(), m.audited(models.ActionResumesDelete); n != users || lines != users ||
		m.rows("gate_users") != 0 {
		t.Errorf("%d requests, %d audit entries, %d tenant ids left; want %d, %d and 0", n, lines, m.rows("gate_users"),
			users, users)
	}
}

// A server that is killed while Resume Matcher deletes leaves the deletion to the next attempt.
func TestDeletionOfAKilledServer(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	c := m.guarded()
	m.must(m.accounts().Delete(t.Context(), m.user))
	m.due()
	ctx, kill := context.WithCancel(t.Context())
	var asked atomic.Int64
	c.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.app.ServeHTTP(w, r)
		if r.Method == http.MethodDelete && asked.Add(1) == 1 {
			kill()
		}
	}))
	_ = m.replicas[0].DeleteDue(ctx) // as far as it comes
	if n := m.rows("gate_users"); n != 1 {
		t.Errorf("%d tenant ids after the kill, want 1", n)
	}
	m.must(m.replicas[1].DeleteDue(t.Context()))
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times before the next attempt is due, want 1", n)
	}
	m.due()
	m.must(m.replicas[1].DeleteDue(t.Context()))
	if n := asked.Load(); n != 2 || m.rows("gate_users") != 0 || m.audited(models.ActionResumesDelete) != 1 {
		t.Errorf("asked %d times, %d tenant ids, %d audit entries; want 2, 0 and 1", n, m.rows("gate_users"),
			m.audited(models.ActionResumesDelete))
	}
}

// A charged call that runs when its account is deleted is over before the resumes go: until its time limit no deletion
// is due, and after it the add-on refuses while Resume Matcher still works. So it writes nothing afterwards.
func TestDeletionWhileARequestRuns(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.guarded()
	_ = m.whileRunning(post("/enrichment/analyze/"+m.resume, nil), func() {
		m.must(m.accounts().Delete(t.Context(), m.user))
		m.must(m.replicas[1].DeleteDue(t.Context()))
		m.wantDeletion("within the time limit", 0, models.CauseResumesDue)
		m.due()
		if err := m.replicas[1].DeleteDue(t.Context()); err == nil {
			t.Error("no error while the request runs, want one")
		}
		m.wantDeletion("while the request runs", 1, models.CauseResumesInUse)
	})
	if _, _, err := m.serve(t.Context(), 0, get("/resumes/list")); err == nil {
		t.Error("a deleted account got an answer of Resume Matcher")
	}
	m.due()
	m.must(m.replicas[1].DeleteDue(t.Context()))
	if n := m.kept(); n != 0 || m.rows("gate_users") != 0 {
		t.Errorf("%d resumes and %d tenant ids, want none", n, m.rows("gate_users"))
	}
	dbtest.CheckLedger(t, m.db)
}

// The rows of a deleted account stay until its resumes are deleted, whatever the retention.
func TestAccountStaysUntilItsResumesAreDeleted(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.guarded()
	accounts, id := m.accounts(), dbtest.User(t, m.db, "bob@example.com").ID
	_, err := m.replicas[0].TenantID(t.Context(), id)
	m.must(err)
	m.must(accounts.Delete(t.Context(), id))
	m.must(accounts.EraseDue(t.Context()))
	m.exec(`UPDATE users SET delete_after = now() - interval '2 days' WHERE id = ?`, id)
	removed := func(what string, want int64) {
		t.Helper()
		if n, err := accounts.RemoveDue(t.Context()); n != want || err != nil {
			t.Errorf("%s: %d accounts were removed (%v), want %d", what, n, err, want)
		}
	}
	removed("while Resume Matcher has the resumes", 0)
	m.due()
	m.must(m.replicas[0].DeleteDue(t.Context()))
	removed("then", 1)
}
