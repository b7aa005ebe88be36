package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/webhook"
)

// Decision is an admin's decision about a review: a purchase, an event or a finding.
type Decision struct {
	ActorID   int64
	Kind      models.DecisionKind
	Note      string                // the reason, for the audit log
	Credits   models.Credits        // DecisionBook: to grant when the order is unknown
	Seen      models.PurchaseStatus // DecisionBook: the status that the form showed; empty when it showed none
	DisputeID string                // DecisionShare
	Revision  int                   // DecisionShare: the dispute's revision that the form showed
	Share     models.Cents          // DecisionShare: 0 to the amount paid, in the payment's currency
	RequestID string
}

// The audit actions of decisions about purchases and events.
var (
	purchaseActions = map[models.DecisionKind]models.Action{
		models.DecisionBook: models.ActionPurchaseBook, models.DecisionForeign: models.ActionPurchaseForeign,
		models.DecisionShare: models.ActionPurchaseShare,
	}
	eventActions = map[models.DecisionKind]models.Action{
		models.DecisionForeign: models.ActionEventForeign, models.DecisionClose: models.ActionEventClose,
	}
)

// DecidePurchase carries out a decision about a purchase: book it as ordered, close it as not ours, or set the share
// of its payment that a dispute takes. Then it books the events that waited for the decision.
//
// Locks: the payment, the purchase, then the admin and the user, the lower id first. Idempotent: repeating a decision
// changes nothing and writes no audit entry.
// Errors: fault.NotFound; fault.Invalid for a missing note, credits or a share out of range, or an unknown decision;
// fault.Conflict when the purchase was decided otherwise.
func (s *Service) DecidePurchase(ctx context.Context, id uuid.UUID, d Decision) error {
	d.Note = strings.TrimSpace(d.Note)
	if err := CheckNote(d.Note); err != nil {
		return err
	}
	err := ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) ([]models.CreditTransaction, error) {
		p, err := purchase.LockForDecision(tx, id)
		if err != nil {
			return nil, err
		}
		if err := lockActorAndUser(tx, d.ActorID, p.UserID); err != nil {
			return nil, err
		}
		detail := map[string]any{"note": d.Note, "purchase_id": p.ID, "cause": p.Cause}
		rows, changed, err := s.applyDecision(tx, p, d, detail)
		if err != nil || !changed {
			return rows, err
		}
		return rows, models.AppendAudit(tx, models.AuditEvent{
			ActorID: d.ActorID, Action: purchaseActions[d.Kind], UserID: p.UserID, RequestID: d.RequestID, Detail: detail,
		})
	}, ledger.Audited, "actor_id", d.ActorID)
	if err != nil {
		return err
	}
	if err := s.Webhook.BookDecided(ctx); err != nil { // the worker retries
		s.Log.WarnContext(ctx, "book events of a decided purchase failed", "purchase_id", id, "err", err)
	}
	return nil
}

// applyDecision applies a decision to a locked purchase and adds its facts to the audit entry's detail.
func (s *Service) applyDecision(
	tx models.Tx, p *models.Purchase, d Decision, detail map[string]any,
) (rows []models.CreditTransaction, changed bool, err error) {
	switch d.Kind {
	case models.DecisionBook:
		if d.Seen == models.PurchaseReview && p.Status == models.PurchaseForeign {
			return nil, false, fault.Because(fault.Conflict, fault.DecidedOtherwise)
		}
		rows, err = s.Purchase.BookOrdered(tx, p, d.Credits)
		detail["credits"], detail["cents"], detail["currency"] = p.Credits, p.PaidCents, p.PaymentCurrency()
		return rows, len(rows) > 0, err
	case models.DecisionForeign:
		changed, err = purchase.SetForeign(tx, p)
		return nil, changed, err
	case models.DecisionShare:
		if d.Share < 0 || d.Share > p.PaidCents {
			return nil, false, fault.Field("share", fault.ShareRange)
		}
		detail["dispute_id"], detail["cents"], detail["currency"] = d.DisputeID, d.Share, p.PaymentCurrency()
		rows, changed, err = purchase.SetDisputeShare(tx, p, d.DisputeID, d.Share, d.Revision)
		if errors.Is(err, purchase.ErrNotOurs) {
			err = fault.New(fault.NotFound, nil)
		}
		return rows, changed, err
	}
	return nil, false, fault.Field("decision", fault.ChoiceUnknown)
}

// SharePreview is the effect that DecisionShare would have.
type SharePreview struct {
	Buyer models.User // as before the decision
	After models.Credits
}

// PreviewShare returns the effect of DecisionShare on the buyer's balance. It carries the decision out in a transaction
// that it rolls back, so that what it says is what settling does.
//
// Units: credits. Locks and errors: as DecidePurchase.
func (s *Service) PreviewShare(ctx context.Context, id uuid.UUID, d Decision) (SharePreview, error) {
	var preview SharePreview
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		p, err := purchase.LockForDecision(tx, id)
		if err != nil {
			return err
		}
		if err := lockActorAndUser(tx, d.ActorID, p.UserID); err != nil {
			return err
		}
		if preview.Buyer, err = ledger.Lock(tx, p.UserID); err != nil {
			return err
		}
		if _, _, err := s.applyDecision(tx, p, d, map[string]any{}); err != nil {
			return err
		}
		after, err := ledger.Lock(tx, p.UserID)
		if err != nil {
			return err
		}
		preview.After = after.CreditsBalance
		return errPreviewed
	})
	if errors.Is(err, errPreviewed) {
		return preview, nil
	}
	return preview, err
}

// errPreviewed rolls a preview's transaction back.
var errPreviewed = errors.New("previewed")

// DecideEvent closes an event under review, as not ours or as handled.
//
// Locks: the event, the events that wait with it, then the admin. Idempotent. Errors: as DecidePurchase.
func (s *Service) DecideEvent(ctx context.Context, eventID string, d Decision) error {
	d.Note = strings.TrimSpace(d.Note)
	if err := CheckNote(d.Note); err != nil {
		return err
	}
	if _, known := eventActions[d.Kind]; !known {
		return fault.Field("decision", fault.ChoiceUnknown)
	}
	return postgres.Confirmed(ctx, s.DB, func(tx models.Tx) error {
		event, err := webhook.LockForDecision(tx, eventID)
		if err != nil {
			return err
		}
		changed, err := s.Webhook.CloseDecided(tx, event, d.Kind)
		if err != nil || !changed {
			return err
		}
		return models.AppendAudit(tx, models.AuditEvent{
			ActorID: d.ActorID, Action: eventActions[d.Kind], RequestID: d.RequestID,
			Detail: map[string]any{"note": d.Note, "event_id": event.EventID, "cause": event.LastError},
		})
	}, ledger.Audited)
}

// CloseFinding closes a finding of a reconciliation that needed a person.
//
// Locks: the finding, then the admin. Idempotent. Errors: fault.NotFound; fault.Invalid for a missing note.
func (s *Service) CloseFinding(ctx context.Context, id int64, d Decision) error {
	d.Note = strings.TrimSpace(d.Note)
	if err := CheckNote(d.Note); err != nil {
		return err
	}
	return postgres.Confirmed(ctx, s.DB, func(tx models.Tx) error {
		var f models.Finding
		err := tx.Raw(`SELECT * FROM reconciliation_findings WHERE id = ? AND kind = 'review' FOR UPDATE`, id).Take(&f).Error
		if err != nil || f.ClosedAt != nil {
			return postgres.Found(err, "lock finding %d", id)
		}
		if err := tx.Exec(`UPDATE reconciliation_findings SET closed_at = ? WHERE id = ?`, s.Purchase.Now(), id).
			Error; err != nil {
			return fmt.Errorf("close finding %d: %w", id, err)
		}
		return models.AppendAudit(tx, models.AuditEvent{
			ActorID: d.ActorID, Action: models.ActionFindingClose, RequestID: d.RequestID,
			Detail: map[string]any{"note": d.Note, "object_id": f.ObjectID, "cause": f.Note},
		})
	}, ledger.Audited)
}
