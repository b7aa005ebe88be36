// Package admin does what admins do: grant, correct, refund, move and decide, each with a reason, an actor and an
// audit entry. It also reads what their pages show.
package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/apikey"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/user"
	"github.com/resume-matcher/credits/services/webhook"
)

// Limits of a grant or correction.
const (
	MaxCredits    = 100_000 // credits
	MaxNoteLength = 500     // characters of the reason
)

// Grant gives credits to a user, or takes them when Delta is negative.
type Grant struct {
	ActorID   int64  // the admin; 0 for an operator on the command line
	Operator  string // the operator's name
	UserID    int64
	Delta     models.Credits // 1 to MaxCredits, or its negative for a correction
	Note      string         // the reason, shown to the user
	Key       string         // idempotency key of the form
	RequestID string
}

// maxOperatorLength bounds an operator's name, in characters.
const maxOperatorLength = 80

// Service carries out what admins decide, and reads what their pages show. Grants need only DB and Log.
type Service struct {
	DB       *gorm.DB
	Purchase *purchase.Service // refunds, decisions, moves
	Webhook  *webhook.Service  // events that wait for a decision
	Auth     *auth.Service     // sign-ins of UserPage
	Sessions *auth.Sessions
	Keys     *apikey.Service
	Log      *slog.Logger

	PricesChanged func() // called after a feature has changed; may be nil
}

// Grant books a grant or correction and its audit entry in one transaction.
//
// Units: credits. Locks: the admin and the user, the lower id first. Idempotent: by user and key.
// Errors: fault.Invalid for a wrong amount, a missing or long note, or a correction below zero; fault.NotFound for an
// unknown or deleted user; fault.Conflict when the key was used for something else.
func (s *Service) Grant(ctx context.Context, g Grant) (ledger.Posted, error) {
	g.Note = strings.TrimSpace(g.Note)
	if err := g.check(); err != nil {
		return ledger.Posted{}, err
	}
	var posted ledger.Posted
	err := ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) ([]models.CreditTransaction, error) {
		if err := lockActorAndUser(tx, g.ActorID, g.UserID); err != nil {
			return nil, err
		}
		user, err := ledger.Lock(tx, g.UserID)
		switch {
		case err != nil:
			return nil, err
		case user.DeletedAt != nil:
			return nil, fault.New(fault.NotFound, nil)
		}
		posted, err = ledger.Post(tx, g.entry())
		if err != nil || posted.Replayed {
			return nil, err
		}
		return []models.CreditTransaction{posted.CreditTransaction}, writeAudit(tx, g, posted)
	}, nil, "actor", g.actor())
	if fault.Is(err, fault.InsufficientCredits) {
		return ledger.Posted{}, fault.Field("credits", fault.BelowZero)
	}
	if err != nil {
		return ledger.Posted{}, err
	}
	if posted.Replayed {
		posted.Log(ctx, s.Log, "actor", g.actor())
	}
	return posted, nil
}

// Preview returns the user and their balance after a grant or correction, without booking it. It ignores the note.
//
// Units: credits. Errors: fault.Invalid for a wrong amount or a correction below zero; fault.NotFound.
func (s *Service) Preview(ctx context.Context, g Grant) (user models.User, after models.Credits, err error) {
	user, err = s.User(ctx, g.UserID)
	switch {
	case err != nil:
	case g.Delta == 0 || g.Delta > MaxCredits || g.Delta < -MaxCredits:
		err = fault.Field("credits", fault.CreditsRange)
	case g.Delta < 0 && user.Available()+g.Delta < 0:
		err = fault.Field("credits", fault.BelowZero)
	}
	return user, user.CreditsBalance + g.Delta, err
}

// CheckNote validates the reason of an admin's action.
// Errors: fault.Invalid with the field note.
func CheckNote(note string) error {
	switch note = strings.TrimSpace(note); {
	case note == "":
		return fault.Field("note", fault.NoteMissing)
	case utf8.RuneCountInString(note) > MaxNoteLength || !models.Storable(note):
		return fault.Field("note", fault.NoteTooLong)
	}
	return nil
}

// lockActorAndUser locks the admin and the user, the lower id first: the audit entry references both, and two admins
// who grant each other credits concurrently must not deadlock. Without an actor, only ledger.Post locks the user.
func lockActorAndUser(tx models.Tx, actorID, userID int64) error {
	for _, id := range []int64{min(actorID, userID), max(actorID, userID)} {
		if id == 0 || actorID == 0 || actorID == userID {
			continue
		}
		if _, err := ledger.Lock(tx, id); err != nil {
			return err
		}
	}
	return nil
}

func (g Grant) check() error {
	switch {
	case g.Delta == 0 || g.Delta > MaxCredits || g.Delta < -MaxCredits:
		return fault.Field("credits", fault.CreditsRange)
	case CheckNote(g.Note) != nil:
		return CheckNote(g.Note)
	case g.Key == "":
		return fault.Because(fault.Malformed, fault.KeyMissing)
	case utf8.RuneCountInString(g.Operator) > maxOperatorLength || !models.Storable(g.Operator):
		return fault.Field("actor", fault.NameUnfit)
	}
	return ledger.CheckKey(g.Key)
}

func (g Grant) actor() string {
	if g.ActorID == 0 {
		return "operator"
	}
	return fmt.Sprintf("user:%d", g.ActorID)
}

// entry returns the entry to book. Two operators who repeat a grant mean the same one.
func (g Grant) entry() ledger.Entry {
	hash := sha256.Sum256(fmt.Appendf(nil, "grant\n%s\n%d\n%s", g.actor(), g.Delta, g.Note))
	actor := g.actor()
	if g.Operator != "" {
		actor += ":" + g.Operator
	}
	return ledger.Entry{UserID: g.UserID, Delta: g.Delta, Reason: models.ReasonManual, Meta: models.Meta{
		IdempotencyKey: g.Key, RequestHash: hex.EncodeToString(hash[:]), Actor: actor, Note: g.Note,
	}}
}

func writeAudit(tx models.Tx, g Grant, posted ledger.Posted) error {
	action := models.ActionCreditsGrant
	if g.Delta < 0 {
		action = models.ActionCreditsCorrect
	}
	detail := map[string]any{"credits": g.Delta, "note": g.Note, "transaction_id": posted.ID}
	if g.Operator != "" {
		detail["operator"] = g.Operator
	}
	return models.AppendAudit(tx, models.AuditEvent{
		ActorID: g.ActorID, Action: action, UserID: g.UserID, RequestID: g.RequestID, Detail: detail,
	})
}

// User returns one user.
// Errors: fault.NotFound.
func (s *Service) User(ctx context.Context, id int64) (models.User, error) {
	var user models.User
	err := s.DB.WithContext(ctx).Where("id = ?", id).Take(&user).Error
	return user, postgres.Found(err, "look up user")
}

// UserByEmail returns the user who holds an e-mail address, whatever its spelling.
// Errors: fault.NotFound.
func (s *Service) UserByEmail(ctx context.Context, email string) (models.User, error) {
	id, err := user.ByAddress(s.DB.WithContext(ctx), address.Parse(email))
	if err != nil {
		return models.User{}, err
	}
	return s.User(ctx, id)
}
