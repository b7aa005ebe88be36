// Package withdrawal receives consumers' declarations of withdrawal from a contract (§ 356a BGB), and lists them for
// admins.
package withdrawal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

const (
	// Maximum lengths of the form's fields, in characters.
	maxName, maxEmail, maxContract = 200, 320, 2000
	// floodFrom is how many declarations a sender or an e-mail address may make per hour. Further ones count as a flood:
	// they are stored too, but clipped to the lengths below and sorted last.
	floodFrom                    = 20
	clippedName, clippedContract = 80, 200
	// buyerAllowance is how many declarations per hour from a buyer's e-mail address sort first even when their sender
	// floods, because a buyer may share an IP address with an attacker.
	buyerAllowance = 3
)

// Service stores, lists and closes declarations.
type Service struct {
	DB        *gorm.DB
	Purchases *purchase.Service
	Automatic bool // clean declarations are refunded without a person
	Now       func() time.Time
	Log       *slog.Logger
}

// Declaration is a consumer's form to withdraw from a contract.
type Declaration struct {
	UserID     int64  // 0 when signed out
	PurchaseID string // a purchase of the user; empty when only Contract describes it
	Name       string
	Email      string
	Contract   string
	Reworded   bool // Contract is not our description of the purchase
	Locale     string
	Key        string // idempotency key of the form
	Sender     string // identifies the user, or the hash of the IP address
}

// Withdrawable reports whether the page of a purchase offers to withdraw: within the period, and unless all of the
// money was returned. The form itself is always open to everyone, and an admin decides about late declarations.
func (s *Service) Withdrawable(p models.Purchase) bool {
	if p.AllReturned() {
		return false
	}
	return (p.Status == models.PurchasePaid || p.Status == models.PurchaseAwaitingPayment) &&
		s.Now().Before(purchase.PeriodEnd(p.CreatedAt))
}

// Declare stores a declaration, and reserves the unused credits of its purchase. It moves no money: a worker or an
// admin refunds. It refuses no valid declaration; those of a flood are stored too, and sorted last. A purchase that is
// not the user's own, as after signing out, is dropped from the declaration.
//
// Locks: the payment, the purchase, the user, the holds.
// Idempotent: by key and content, and by purchase; it returns the first declaration. The same text sent again by the
// same sender counts as a copy. Errors: fault.Invalid with the field.
// Source: § 356a BGB, https://eur-lex.europa.eu/eli/dir/2023/2673/oj (Article 11a)
func (s *Service) Declare(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w, err := s.newRow(ctx, d)
	if err != nil {
		return w, err
	}
	var stored models.Withdrawal
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		p, err := lockPurchase(tx, w)
		if err != nil {
			return err
		}
		if w.Priority, err = priorityOf(tx, w, s.Now().Add(-time.Hour)); err != nil {
			return err
		}
		if w.Priority == models.WithdrawalPriorityFlood {
			w.Name, w.Contract = clip(w.Name, clippedName), clip(w.Contract, clippedContract)
		}
		if stored, err = insert(tx, w); err != nil || stored.ID != w.ID {
			return err
		}
		if p != nil {
			if err := purchase.BeginWithdrawal(tx, *p); err != nil {
				return err
			}
		}
		return confirm(tx, w)
	})
	if err == nil && stored.ID == w.ID && w.Priority != models.WithdrawalPriorityFlood {
		s.Log.WarnContext(ctx, "withdrawal needs a person", "withdrawal_id", w.ID, "user_id", d.UserID,
			"purchase_id", d.PurchaseID)
	}
	return stored, err
}

// lockPurchase locks the purchase of a declaration and its user, and returns the purchase; nil without one. The user is
// locked before the declaration refers to it: two declarations of one user would otherwise wait for each other.
func lockPurchase(tx models.Tx, w models.Withdrawal) (*models.Purchase, error) {
	if w.PurchaseID == nil {
		return nil, nil
	}
	p, err := purchase.LockForDecision(tx, *w.PurchaseID)
	if err == nil {
		_, err = ledger.Lock(tx, p.UserID)
	}
	return p, err
}

// insert stores a declaration, or returns the stored declaration that it repeats.
func insert(tx models.Tx, w models.Withdrawal) (models.Withdrawal, error) {
	for range 3 {
		inserted := tx.Exec(`INSERT INTO withdrawals
			(id, idempotency_key, user_id, purchase_id, name, email, contract, locale, received_at, priority, fold, sender,
				reworded)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			w.ID, w.IdempotencyKey, w.UserID, w.PurchaseID, w.Name, w.Email, w.Contract, w.Locale, w.ReceivedAt,
			w.Priority, w.Fold, w.Sender, w.Reworded)
		if inserted.Error != nil {
			return w, fmt.Errorf("store withdrawal: %w", inserted.Error)
		}
		if inserted.RowsAffected == 1 {
			w.Copies = 1
			return w, nil
		}
		var stored []models.Withdrawal
		err := tx.Raw(`SELECT * FROM withdrawals WHERE idempotency_key = ? OR purchase_id = ? ORDER BY received_at LIMIT 1`,
			w.IdempotencyKey, w.PurchaseID).Scan(&stored).Error
		if err == nil && len(stored) == 0 {
			err = tx.Raw(
				`UPDATE withdrawals SET copies = copies + 1 WHERE sender = ? AND fold = ? AND handled_at IS NULL RETURNING *`,
				w.Sender, w.Fold).Scan(&stored).Error
		}
		if err != nil {
			return w, fmt.Errorf("find the stored withdrawal: %w", err)
		}
		if len(stored) > 0 {
			return stored[0], nil
		}
		// An admin closed it since the INSERT: try again.
	}
	return w, errors.New("store withdrawal: conflicting row not found")
}

// priorityOf returns the priority with which a declaration is listed. Concurrent declarations may exceed the limits
// slightly.
func priorityOf(tx models.Tx, w models.Withdrawal, since time.Time) (models.WithdrawalPriority, error) {
	if w.PurchaseID != nil { // at most one per purchase
		return models.WithdrawalPriorityBuyer, nil
	}
	var recent struct {
		Sent   int64 // by the sender
		Mailed int64 // from the e-mail address, with priority 0
		Bought bool  // the address belongs to a buyer
	}
	err := tx.Raw(
		`SELECT (SELECT count(*) FROM (SELECT FROM withdrawals WHERE sender = @sender AND sender <> '' AND received_at > @since LIMIT @most) s) AS sent,
			(SELECT count(*) FROM (SELECT FROM withdrawals WHERE email = @email AND priority = 0 AND received_at > @since LIMIT @most) m) AS mailed,
			EXISTS (SELECT FROM users u JOIN purchases p ON p.user_id = u.id
				WHERE u.email = @email AND p.status IN ('paid', 'awaiting_payment', 'review')) AS bought`,
		map[string]any{"sender": w.Sender, "email": w.Email, "since": since, "most": floodFrom}).Scan(&recent).Error
	switch {
	case err != nil:
		return 0, fmt.Errorf("count recent withdrawals: %w", err)
	case recent.Bought && (recent.Mailed < buyerAllowance || recent.Sent < floodFrom && recent.Mailed < floodFrom):
		return models.WithdrawalPriorityBuyer, nil
	case recent.Sent >= floodFrom:
		return models.WithdrawalPriorityFlood, nil
	}
	return models.WithdrawalPriorityNormal, nil
}

// newRow validates a declaration and converts it into a row.
func (s *Service) newRow(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w := models.Withdrawal{
		ID: uuid.New(), Name: strings.TrimSpace(d.Name), Email: address.Parse(d.Email),
		Contract: strings.TrimSpace(d.Contract), Locale: d.Locale, Sender: d.Sender, ReceivedAt: s.Now(),
		Reworded: d.Reworded,
	}
	within := func(text string, limit int) bool {
		return text != "" && utf8.RuneCountInString(text) <= limit && models.Storable(text)
	}
	switch a, err := mail.ParseAddress(w.Email); {
	case !within(w.Name, maxName):
		return w, fault.Field("name", fault.WithdrawalName)
	case err != nil || a.Address != w.Email || !within(w.Email, maxEmail):
		return w, fault.Field("email", fault.EmailInvalid)
	case !within(w.Contract, maxContract):
		return w, fault.Field("contract", fault.WithdrawalContract)
	case d.Key == "":
		return w, fault.Because(fault.Malformed, fault.KeyMissing)
	}
	if err := ledger.CheckKey(d.Key); err != nil {
		return w, err
	}
	// The content is part of the key: a corrected form is another declaration.
	w.IdempotencyKey = d.Key + ":" + hash(w.Name, w.Email, w.Contract, d.PurchaseID)
	if d.UserID != 0 {
		w.UserID = &d.UserID
	}
	if d.PurchaseID != "" {
		p, err := s.Purchases.Purchase(ctx, d.UserID, d.PurchaseID)
		switch {
		case err == nil:
			w.PurchaseID = &p.ID
		case !fault.Is(err, fault.NotFound):
			return w, err
		}
	}
	w.Fold = hash(normalize(w.Name), w.Email, normalize(w.Contract), d.PurchaseID)
	return w, nil
}

// hash returns the hash of several texts.
func hash(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// normalize removes differences of case and spacing, in which equal declarations may differ.
func normalize(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// Find returns a declaration by its id, which only its sender was given.
// Errors: fault.NotFound.
func (s *Service) Find(ctx context.Context, id string) (models.Withdrawal, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id { // only the canonical spelling
		return models.Withdrawal{}, fault.New(fault.NotFound, nil)
	}
	return s.find(ctx, "id = ?", parsed)
}

// OfPurchase returns the declaration about a purchase, nil without one.
func (s *Service) OfPurchase(ctx context.Context, purchaseID uuid.UUID) (*models.Withdrawal, error) {
	w, err := s.find(ctx, "purchase_id = ?", purchaseID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &w, nil
}

func (s *Service) find(ctx context.Context, where string, args ...any) (models.Withdrawal, error) {
	var w models.Withdrawal
	err := s.DB.WithContext(ctx).Where(where, args...).Take(&w).Error
	return w, postgres.Found(err, "look up withdrawal")
}
