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
	// strangersAnHour is how many declarations are taken in an hour from people who are not signed in.
	strangersAnHour = 300
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
}

// Withdrawable reports whether a purchase's page should offer to withdraw. The form itself is there for everybody at
// any time: a person decides what came too late. Where all of the money has gone back, there is nothing left to withdraw from.
func (s *Service) Withdrawable(p models.Purchase) bool {
	if p.CreditsGranted > 0 && p.CreditsRefunded+p.CreditsDisputed >= p.CreditsGranted {
		return false
	}
	return (p.Status == models.PurchasePaid || p.Status == models.PurchaseAwaitingPayment) && s.Now().Sub(p.CreatedAt) < withdrawalPeriod
}

// Withdraw receives a declaration. It moves no money: a person does, with a refund.
//
// Idempotent: by key and content, and by purchase; the first declaration stands. Errors: fault.Invalid with the field;
// fault.NotFound for another user's purchase; fault.RateLimited.
// Source: § 356a BGB, https://eur-lex.europa.eu/eli/dir/2023/2673/oj (Article 11a)
func (s *Service) Withdraw(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w, err := s.declared(ctx, d)
	if err != nil {
		return w, err
	}
	err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		if err := limitStrangers(tx, w, s.Now()); err != nil {
			return err
		}
		err := tx.Exec(`INSERT INTO withdrawals (id, idempotency_key, user_id, purchase_id, name, email, contract, locale, received_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			w.ID, w.IdempotencyKey, w.UserID, w.PurchaseID, w.Name, w.Email, w.Contract, w.Locale, w.ReceivedAt).Error
		if err != nil {
			return fmt.Errorf("receive a withdrawal: %w", err)
		}
		var stands models.Withdrawal
		err = tx.Where("idempotency_key = ? OR purchase_id = ?", w.IdempotencyKey, w.PurchaseID).Order("received_at").Limit(1).Take(&stands).Error
		if err != nil {
			return fmt.Errorf("read a withdrawal back: %w", err)
		}
		if stands.ID == w.ID {
			s.Log.WarnContext(ctx, "a withdrawal from a contract waits for a person", "withdrawal_id", w.ID, "user_id", d.UserID, "purchase_id", d.PurchaseID)
		}
		w = stands
		return nil
	})
	return w, err
}

// declared checks a declaration and makes the row of it.
func (s *Service) declared(ctx context.Context, d Declaration) (models.Withdrawal, error) {
	w := models.Withdrawal{ID: uuid.New(), Name: strings.TrimSpace(d.Name), Email: address.Parse(d.Email), Contract: strings.TrimSpace(d.Contract),
		Locale: d.Locale, ReceivedAt: s.Now()}
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
	content := sha256.Sum256([]byte(strings.Join([]string{w.Name, w.Email, w.Contract, d.PurchaseID}, "\x00")))
	w.IdempotencyKey = d.Key + ":" + hex.EncodeToString(content[:16])
	if d.UserID != 0 {
		w.UserID = &d.UserID
	}
	if d.PurchaseID == "" {
		return w, nil
	}
	p, err := s.Purchase(ctx, d.UserID, d.PurchaseID)
	w.PurchaseID = &p.ID
	return w, err
}

// limitStrangers keeps a program from filling the table. Those who are signed in are never refused.
func limitStrangers(tx *gorm.DB, w models.Withdrawal, now time.Time) error {
	if w.UserID != nil {
		return nil
	}
	var lately int64
	err := tx.Raw(`SELECT count(*) FROM withdrawals WHERE user_id IS NULL AND received_at > ? AND idempotency_key <> ?`, now.Add(-time.Hour), w.IdempotencyKey).
		Scan(&lately).Error
	if err != nil {
		return fmt.Errorf("count withdrawals: %w", err)
	}
	if lately >= strangersAnHour {
		return fault.New(fault.RateLimited, map[string]any{"retryAfter": 600})
	}
	return nil
}

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

// Withdrawals lists the declarations for whoever handles them: the open ones first, each oldest first.
func (s *Service) Withdrawals(ctx context.Context, limit int) ([]models.Withdrawal, error) {
	var rows []models.Withdrawal
	err := s.DB.WithContext(ctx).Order("handled_at IS NOT NULL, received_at").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("withdrawals: %w", err)
	}
	return rows, nil
}

// OpenWithdrawals is how many declarations wait for a person.
func (s *Service) OpenWithdrawals(ctx context.Context) (int64, error) {
	var n int64
	err := s.DB.WithContext(ctx).Raw(`SELECT count(*) FROM withdrawals WHERE handled_at IS NULL`).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count open withdrawals: %w", err)
	}
	return n, nil
}

// CloseWithdrawal says that a person has done what a declaration asks for. The first one to say so stands, in the audit
// log too.
// Locks: the declaration. Errors: fault.NotFound.
func (s *Service) CloseWithdrawal(ctx context.Context, id string, actorID int64, requestID string) error {
	w, err := s.Withdrawal(ctx, id)
	if err != nil {
		return err
	}
	deed := models.Deed{ActorID: actorID, Action: "withdrawal.close", RequestID: requestID, Detail: map[string]any{"withdrawal_id": w.ID}}
	if w.UserID != nil {
		deed.UserID = *w.UserID
	}
	if w.PurchaseID != nil {
		deed.Detail["purchase_id"] = *w.PurchaseID
	}
	return models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		done := tx.Exec(`UPDATE withdrawals SET handled_at = ?, handled_by = ? WHERE id = ? AND handled_at IS NULL`, s.Now(), actorID, w.ID)
		switch {
		case done.Error != nil:
			return fmt.Errorf("close withdrawal %s: %w", w.ID, done.Error)
		case done.RowsAffected == 0:
			return nil
		}
		return models.AppendAudit(tx, deed)
	})
}
