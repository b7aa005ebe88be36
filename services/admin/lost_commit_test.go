package admin_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/admin"
)

// When the reply to COMMIT is lost, an admin gets the real answer all the same: by the entry that was booked or, for a
// decision without entries, by its audit entry. Without any answer, sending the same form again books nothing twice.
func TestLostReplyToCommitOfAnAdmin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	network, direct := dbtest.LossyURL(t, dbtest.URLOf(f.DB)), f.DB
	lossy, err := postgres.Open(network.URL, nil)
	f.must(err)
	t.Cleanup(func() { postgres.Close(lossy) })
	patient := postgres.ConfirmWithin(lossy, dbtest.HangTimeout)
	f.DB = patient
	ctx := models.WithActor(t.Context(), models.Actor{AdminID: f.boss.ID, RequestID: "req_1"})
	grant := admin.Grant{ActorID: f.boss.ID, UserID: f.user.ID, Delta: 10, Note: "sorry", Key: "k", RequestID: "req_1"}

	network.Replies.Store(1)
	posted, err := f.Grant(ctx, grant)
	if err != nil || posted.Replayed || posted.BalanceAfter != 10 {
		t.Errorf("grant = %+v, %v; want 10 credits, and no repeat", posted, err)
	}
	f.DB, grant.Key = lossy, "k2"
	network.Outage.Store(true)
	network.Replies.Store(1)
	if _, err := f.Grant(ctx, grant); !postgres.OutcomeUnknown(err) {
		t.Errorf("grant in an outage: %v, want an unknown outcome", err)
	}
	network.Restore()
	if posted, err = f.Grant(ctx, grant); err != nil || !posted.Replayed || posted.BalanceAfter != 20 {
		t.Errorf("repeat = %+v, %v; want 20 credits, and a repeat", posted, err)
	}

	f.DB = direct
	f.must(f.DB.Exec(`INSERT INTO reconciliations (since, started_at) VALUES (now(), now())`).Error)
	f.must(f.DB.Exec(`INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, note)
		SELECT id, 'review', 'cs_9', 'made up' FROM reconciliations`).Error)
	var finding models.Finding
	f.must(f.DB.Take(&finding).Error)
	f.DB = patient
	ctx = models.WithActor(t.Context(), models.Actor{AdminID: f.boss.ID, RequestID: "req_2"})
	network.Replies.Store(1)
	if err := f.CloseFinding(ctx, finding.ID, admin.Decision{ActorID: f.boss.ID, Note: "seen"}); err != nil {
		t.Errorf("close a finding: %v", err)
	}
	dbtest.CheckLedger(t, direct)
}
