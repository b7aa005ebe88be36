// Package withdrawal receives declarations with which consumers withdraw from a contract (§ 356a BGB), and hands them to
// whoever handles them.
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
	// period is how long consumers may withdraw, plus a day for time zones. Source: § 355 Abs. 2 BGB
	period = 15 * 24 * time.Hour
	// The longest name, address and description of a contract, in characters.
	maxName, maxEmail, maxContract = 200, 320, 2000
	// floodFrom is how many declarations one sender or one e-mail address may make in an hour before further ones count as a
	// flood: stored like all others, but clipped to the lengths below and sorted behind them.
	floodFrom                    = 20
	clippedName, clippedContract = 80, 200
	// spared is how many declarations an hour from a buyer's e-mail address sort first even when their sender floods: a
	// buyer may share an IP address with an attacker.
	spared = 3
)

// Service stores declarations, lists them and closes them.
type Service struct {
	DB        *gorm.DB
	Purchases *purchase.Service // finds the purchase that a declaration names
	Now       func() time.Time
	Log       *slog.Logger
}

// Declaration is the form with which a consumer withdraws from a contract.
type Declaration struct {
	UserID     int64  // 0 when signed out
	PurchaseID string // of the signed-in user; empty when the form describes the contract alone
	Name       string
	Email      string
	Contract   string
	Locale     string
	Key        string // idempotency key of the form
	Sender     string // a user, or the hash of an IP address
}

// Withdrawable reports whether a purchase's page should offer to withdraw. The form itself is always open to everyone: an
// admin decides about late declarations. Once all of the money has gone back, nothing is left to withdraw from.
func (s *Service) Withdrawable(p models.Purchase) bool {
	if p.CreditsGranted > 0 && p.CreditsRefunded+p.CreditsDisputed >= p.CreditsGranted {
		return false
	}
	return (p.Status == models.PurchasePaid || p.Status == models.PurchaseAwaitingPayment) && s.Now().Sub(p.CreatedAt) < period
}

// Declare stores a declaration. It moves no money: an admin does, with a refund. It refuses no declaration that names its
// sender: a flood is stored too, sorted behind all others. Where the purchase is not the user's own, as after signing out,
// the declaration stands on its words alone.
//
// Idempotent: by key and content, and by purchase; the first declaration stands. The same declaration in another form of
// the same sender counts as a copy of it. Errors: fault.Invalid with the field.
// Source: § 356a BGB, https://eur-lex.europa.eu/eli/dir/2023/2673/oj (Article 11a)
func (s *Service) Declare(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w, err := s.newRow(ctx, d)
	if err != nil {
		return w, err
	}
	var stands models.Withdrawal
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		if w.Priority, err = priorityOf(tx, w, s.Now().Add(-time.Hour)); err != nil {
			return err
		}
		if w.Priority == models.WithdrawalOfFlood {
			w.Name, w.Contract = clip(w.Name, clippedName), clip(w.Contract, clippedContract)
		}
		stands, err = insert(tx, w)
		return err
	})
	if err == nil && stands.ID == w.ID && w.Priority != models.WithdrawalOfFlood {
		s.Log.WarnContext(ctx, "a withdrawal from a contract waits for a person", "withdrawal_id", w.ID, "user_id", d.UserID, "purchase_id", d.PurchaseID)
	}
	return stands, err
}

// insert stores a declaration, or returns the stored one that it repeats.
func insert(tx models.Tx, w models.Withdrawal) (models.Withdrawal, error) {
	for range 3 {
		made := tx.Exec(`INSERT INTO withdrawals (id, idempotency_key, user_id, purchase_id, name, email, contract, locale, received_at, priority, fold, sender)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			w.ID, w.IdempotencyKey, w.UserID, w.PurchaseID, w.Name, w.Email, w.Contract, w.Locale, w.ReceivedAt, w.Priority, w.Fold, w.Sender)
		if made.Error != nil {
			return w, fmt.Errorf("receive a withdrawal: %w", made.Error)
		}
		if made.RowsAffected == 1 {
			w.Copies = 1
			return w, nil
		}
		var stands []models.Withdrawal
		err := tx.Raw(`SELECT * FROM withdrawals WHERE idempotency_key = ? OR purchase_id = ? ORDER BY received_at LIMIT 1`, w.IdempotencyKey, w.PurchaseID).Scan(&stands).Error
		if err == nil && len(stands) == 0 {
			err = tx.Raw(`UPDATE withdrawals SET copies = copies + 1 WHERE sender = ? AND fold = ? AND handled_at IS NULL RETURNING *`, w.Sender, w.Fold).Scan(&stands).Error
		}
		if err != nil {
			return w, fmt.Errorf("read a withdrawal back: %w", err)
		}
		if len(stands) > 0 {
			return stands[0], nil
		} // it was closed in between
	}
	return w, errors.New("a withdrawal was neither received nor found")
}

// priorityOf returns where a declaration sorts in the list. Declarations counted concurrently may exceed the limits by a
// few.
func priorityOf(tx models.Tx, w models.Withdrawal, since time.Time) (models.WithdrawalPriority, error) {
	if w.PurchaseID != nil { // one of each purchase
		return models.WithdrawalOfBuyer, nil
	}
	var lately struct {
		Sent, Mailed int64 // by the sender; from the address, of those that come first
		Bought       bool
	}
	err := tx.Raw(`SELECT (SELECT count(*) FROM (SELECT FROM withdrawals WHERE sender = @sender AND sender <> '' AND received_at > @since LIMIT @most) s) AS sent,
			(SELECT count(*) FROM (SELECT FROM withdrawals WHERE email = @email AND priority = 0 AND received_at > @since LIMIT @most) m) AS mailed,
			EXISTS (SELECT FROM users u JOIN purchases p ON p.user_id = u.id WHERE u.email = @email AND p.status IN ('paid', 'awaiting_payment', 'review')) AS bought`,
		map[string]any{"sender": w.Sender, "email": w.Email, "since": since, "most": floodFrom}).Scan(&lately).Error
	switch {
	case err != nil:
		return 0, fmt.Errorf("count withdrawals: %w", err)
	case lately.Bought && (lately.Mailed < spared || lately.Sent < floodFrom && lately.Mailed < floodFrom):
		return models.WithdrawalOfBuyer, nil
	case lately.Sent >= floodFrom:
		return models.WithdrawalOfFlood, nil
	}
	return models.WithdrawalOfAnybody, nil
}

// clip shortens a text to at most that many characters.
func clip(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// newRow checks a declaration and turns it into a row.
func (s *Service) newRow(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w := models.Withdrawal{ID: uuid.New(), Name: strings.TrimSpace(d.Name), Email: address.Parse(d.Email), Contract: strings.TrimSpace(d.Contract),
		Locale: d.Locale, Sender: d.Sender, ReceivedAt: s.Now()}
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
	// A corrected form is another declaration.
	w.IdempotencyKey = d.Key + ":" + hashed(w.Name, w.Email, w.Contract, d.PurchaseID)
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
	w.Fold = hashed(folded(w.Name), w.Email, folded(w.Contract), d.PurchaseID)
	return w, nil
}

// hashed returns one hash for several words.
func hashed(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// folded returns a text without case and spacing, which do not make another declaration.
func folded(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// Find returns a declaration by the id that only its sender was given.
// Errors: fault.NotFound.
func (s *Service) Find(ctx context.Context, id string) (models.Withdrawal, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id { // one spelling only
		return models.Withdrawal{}, fault.New(fault.NotFound, nil)
	}
	return s.take(ctx, "id = ?", parsed)
}

// OfPurchase returns the declaration made from a purchase's page; nil without one.
func (s *Service) OfPurchase(ctx context.Context, purchaseID uuid.UUID) (*models.Withdrawal, error) {
	w, err := s.take(ctx, "purchase_id = ?", purchaseID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &w, nil
}

func (s *Service) take(ctx context.Context, where string, args ...any) (models.Withdrawal, error) {
	var w models.Withdrawal
	err := s.DB.WithContext(ctx).Where(where, args...).Take(&w).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return w, fault.New(fault.NotFound, nil)
	}
	if err != nil {
		return w, fmt.Errorf("look up a withdrawal: %w", err)
	}
	return w, nil
}
