package purchase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

const (
	// withdrawalPeriod is how long consumers may withdraw, with a day for time zones. Source: § 355 Abs. 2 BGB
	withdrawalPeriod = 15 * 24 * time.Hour
	// The longest name, address and description of a contract, in characters.
	maxWithdrawalName, maxWithdrawalEmail, maxWithdrawalContract = 200, 320, 2000
	// floodFrom is how many declarations one sender makes in an hour, or are made from one address, before the next ones are
	// a flood: received as all others are, but clipped to the lengths below and sorted behind.
	floodFrom                    = 20
	clippedName, clippedContract = 80, 200
	// spared is how many declarations an hour from a buyer's address come first even when their sender floods: they may
	// share an address with somebody who means ill.
	spared = 3
)

// Declaration is what somebody enters who withdraws from a contract.
type Declaration struct {
	UserID     int64  // 0 when nobody is signed in
	PurchaseID string // of the signed-in user; empty when they describe the contract alone
	Name       string
	Email      string
	Contract   string
	Locale     string
	Key        string // idempotency key of the form
	Sender     string // who sends it: a user, or the hash of an address
}

// Withdrawable reports whether a purchase's page should offer to withdraw. The form itself is there for everybody at
// any time: a person decides what came too late. Where all of the money has gone back, there is nothing left to withdraw from.
func (s *Service) Withdrawable(p models.Purchase) bool {
	if p.CreditsGranted > 0 && p.CreditsRefunded+p.CreditsDisputed >= p.CreditsGranted {
		return false
	}
	return (p.Status == models.PurchasePaid || p.Status == models.PurchaseAwaitingPayment) && s.Now().Sub(p.CreatedAt) < withdrawalPeriod
}

// Withdraw receives a declaration. It moves no money: a person does, with a refund. It refuses nobody who says who they
// are: what a flood brings is sorted behind all others instead. A purchase that is not the user's own, as after signing
// out, is left to the words of the declaration.
//
// Idempotent: by key and content, and by purchase; the first declaration stands. What the same sender declares again in
// other forms is counted with it. Errors: fault.Invalid with the field.
// Source: § 356a BGB, https://eur-lex.europa.eu/eli/dir/2023/2673/oj (Article 11a)
func (s *Service) Withdraw(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w, err := s.declared(ctx, d)
	if err != nil {
		return w, err
	}
	var stands models.Withdrawal
	err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		if w.Priority, err = priorityOf(tx, w, s.Now().Add(-time.Hour)); err != nil {
			return err
		}
		if w.Priority == models.WithdrawalOfFlood {
			w.Name, w.Contract = clip(w.Name, clippedName), clip(w.Contract, clippedContract)
		}
		stands, err = receive(tx, w)
		return err
	})
	if err == nil && stands.ID == w.ID && w.Priority != models.WithdrawalOfFlood {
		s.Log.WarnContext(ctx, "a withdrawal from a contract waits for a person", "withdrawal_id", w.ID, "user_id", d.UserID, "purchase_id", d.PurchaseID)
	}
	return stands, err
}

// receive stores a declaration, or finds the one that stands in its place.
func receive(tx *gorm.DB, w models.Withdrawal) (models.Withdrawal, error) {
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

// priorityOf says when people look at a declaration. It only sorts: senders who are counted at the same moment may exceed
// the number by a few.
func priorityOf(tx *gorm.DB, w models.Withdrawal, since time.Time) (models.WithdrawalPriority, error) {
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

// clip shortens a text to so many characters.
func clip(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// declared checks a declaration and makes the row of it.
func (s *Service) declared(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w := models.Withdrawal{ID: uuid.New(), Name: strings.TrimSpace(d.Name), Email: address.Parse(d.Email), Contract: strings.TrimSpace(d.Contract),
		Locale: d.Locale, Sender: d.Sender, ReceivedAt: s.Now()}
	within := func(text string, limit int) bool {
		return text != "" && utf8.RuneCountInString(text) <= limit && models.Storable(text)
	}
	switch a, err := mail.ParseAddress(w.Email); {
	case !within(w.Name, maxWithdrawalName):
		return w, fault.Field("name", fault.WithdrawalName)
	case err != nil || a.Address != w.Email || !within(w.Email, maxWithdrawalEmail):
		return w, fault.Field("email", fault.EmailInvalid)
	case !within(w.Contract, maxWithdrawalContract):
		return w, fault.Field("contract", fault.WithdrawalContract)
	case d.Key == "":
		return w, fault.Because(fault.Malformed, fault.KeyMissing)
	}
	if err := ledger.CheckKey(d.Key); err != nil {
		return w, err
	}
	// Who corrects what they typed, declares something else.
	w.IdempotencyKey = d.Key + ":" + hashed(w.Name, w.Email, w.Contract, d.PurchaseID)
	if d.UserID != 0 {
		w.UserID = &d.UserID
	}
	if d.PurchaseID != "" {
		p, err := s.Purchase(ctx, d.UserID, d.PurchaseID)
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

// hashed is one word for several.
func hashed(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// folded is a text without what does not tell two declarations apart.
func folded(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// Withdrawal returns a declaration, by the address that nobody but who made it was given.
// Errors: fault.NotFound.
func (s *Service) Withdrawal(ctx context.Context, id string) (models.Withdrawal, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id { // one spelling only
		return models.Withdrawal{}, fault.New(fault.NotFound, nil)
	}
	return s.takeWithdrawal(ctx, "id = ?", parsed)
}

// WithdrawalOf returns the declaration that was made from a purchase's page; nil without one.
func (s *Service) WithdrawalOf(ctx context.Context, purchaseID uuid.UUID) (*models.Withdrawal, error) {
	w, err := s.takeWithdrawal(ctx, "purchase_id = ?", purchaseID)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &w, nil
}

func (s *Service) takeWithdrawal(ctx context.Context, where string, args ...any) (models.Withdrawal, error) {
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
