package admin

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// Move gives a purchase to another account, such as one bought under a mistyped address.
type Move struct {
	ActorID    int64
	PurchaseID uuid.UUID
	From       int64  // the owner that the form showed
	To         string // id or e-mail address of the new owner
	Note       string // the reason, shown to both users and kept in the audit log
	RequestID  string
}

// MovePreview is the effect that a move would have.
type MovePreview struct {
	From, To           models.User
	Credits            models.Credits // credits that would move
	FromAfter, ToAfter models.Credits // balances after the move
}

// PreviewMove returns the effect of a move, without moving.
//
// Units: credits. Errors: as Move.
func (s *Service) PreviewMove(ctx context.Context, m Move) (MovePreview, error) {
	if err := CheckNote(m.Note); err != nil {
		return MovePreview{}, err
	}
	p, err := s.Purchase.Detail(ctx, m.PurchaseID.String())
	switch {
	case err != nil:
		return MovePreview{}, err
	case p.UserID != m.From:
		return MovePreview{}, fault.Because(fault.Conflict, fault.MovedSince)
	}
	from, err := s.User(ctx, p.UserID)
	if err != nil {
		return MovePreview{}, err
	}
	to, err := s.recipient(ctx, m.To)
	if err != nil {
		return MovePreview{}, err
	}
	credits, err := purchase.Movable(p.Purchase, from, to)
	return MovePreview{
		From: from, To: to, Credits: credits, FromAfter: from.CreditsBalance - credits, ToAfter: to.CreditsBalance + credits,
	}, err
}

// Move gives a purchase and its remaining credits to another account and writes the audit entry, in one transaction.
// Later refunds and disputes of the payment apply to the new account.
//
// Locks: as purchase.Move. Idempotent: sending the form again changes nothing.
// Errors: those of purchase.Move; fault.Invalid for an unknown account and for a missing or long note.
func (s *Service) Move(ctx context.Context, m Move) (purchase.Moved, error) {
	m.Note = strings.TrimSpace(m.Note)
	if err := CheckNote(m.Note); err != nil {
		return purchase.Moved{}, err
	}
	to, err := s.recipient(ctx, m.To)
	if err != nil {
		return purchase.Moved{}, err
	}
	var moved purchase.Moved
	err = ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) (_ []models.CreditTransaction, err error) {
		moved, err = purchase.Move(tx, purchase.MoveOrder{
			PurchaseID: m.PurchaseID, From: m.From, To: to.ID, ActorID: m.ActorID, Note: m.Note,
		})
		if err != nil || moved.Already {
			return nil, err
		}
		return moved.Rows, models.AppendAudit(tx, models.AuditEvent{
			ActorID: m.ActorID, Action: models.ActionPurchaseMove, UserID: to.ID, RequestID: m.RequestID,
			Detail: map[string]any{"purchase_id": m.PurchaseID, "from": m.From, "credits": moved.Credits, "note": m.Note},
		})
	}, ledger.Audited, "actor_id", m.ActorID)
	if err != nil {
		return purchase.Moved{}, err
	}
	return moved, nil
}

// recipient finds the account that an admin typed as id, with or without "#", or as e-mail address.
// Errors: fault.Invalid with the field to.
func (s *Service) recipient(ctx context.Context, typed string) (models.User, error) {
	typed = strings.TrimSpace(typed)
	find := func() (models.User, error) { return s.UserByEmail(ctx, typed) }
	if id, err := strconv.ParseInt(strings.TrimPrefix(typed, "#"), 10, 32); err == nil {
		find = func() (models.User, error) { return s.User(ctx, id) }
	}
	user, err := find()
	if fault.Is(err, fault.NotFound) {
		err = fault.Field("to", fault.MoveTarget)
	}
	return user, err
}
