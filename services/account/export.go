package account

import (
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/ledger"
)

// Section is one part of the export of an account, such as its purchases. The ledger exports the entries itself.
type Section struct {
	Name  string // of its files
	query string // columns are named as in the API; no secrets, and no data of other users
	paged bool   // read in batches, ordered by the first column
}

const sectionBatch = 1000 // rows of one batch of a paged section

// Sections lists the sections of an export.
func Sections() []Section {
	return []Section{
		{Name: "profile",
			query: `SELECT id, email, name, locale AS language, credits_balance AS "creditsBalance", credits_held AS "heldCredits",
			stripe_customer_id AS "stripeCustomer",
			(SELECT tenant_id FROM gate_users WHERE user_id = users.id) AS "resumeMatcherId", created_at AS "createdAt", updated_at AS "updatedAt" FROM users WHERE id = ?`},
		{Name: "sign-ins",
			query: `SELECT provider, issuer, subject, email, email_verified AS "emailVerified", name, created_at AS "createdAt",
			last_sign_in_at AS "lastSignInAt" FROM identities WHERE user_id = ? ORDER BY created_at, issuer, subject`},
		{Name: "sessions",
			query: `SELECT device, created_at AS "createdAt", last_seen_at AS "lastSeenAt", expires_at AS "expiresAt" FROM sessions
			WHERE user_id = ? AND expires_at > now() ORDER BY created_at, key_hash`},
		{Name: "purchases",
			query: `SELECT id::text, 'RM-' || number AS number, status, quantity, credits, amount_cents AS "amountCents", currency, paid_cents AS "paidCents",
			paid_currency AS "paidCurrency", paid_at AS "paidAt", credits_granted AS "creditsGranted", credits_refunded AS "creditsRefunded",
			credits_disputed AS "creditsDisputed", locale AS language, checkout_session_id AS "checkoutSession", payment_intent_id AS "paymentIntent",
			consent::text AS consent, holds_credits AS "holdsCredits", later_consent::text AS "laterConsent", created_at AS "createdAt", updated_at AS "updatedAt" FROM purchases WHERE user_id = ? ORDER BY created_at, id`},
		{Name: "refunds",
			query: `SELECT r.refund_id AS id, p.id::text AS "purchaseId", r.amount AS "amountCents", r.currency, r.status, r.updated_at AS "updatedAt"
			FROM purchases p JOIN stripe_refunds r ON r.payment_ref = p.payment_intent_id WHERE p.user_id = ? ORDER BY r.updated_at, r.refund_id`},
		{Name: "refund-requests",
			query: `SELECT r.id::text, r.purchase_id::text AS "purchaseId", r.amount_cents AS "amountCents",
			coalesce(nullif(p.paid_currency, ''), p.currency) AS currency, r.status, r.goodwill, r.created_at AS "createdAt", r.updated_at AS "updatedAt"
			FROM purchases p JOIN refund_requests r ON r.purchase_id = p.id WHERE p.user_id = ? ORDER BY r.created_at, r.id`},
		{Name: "withdrawals",
			query: `SELECT id::text, purchase_id::text AS "purchaseId", name, email, contract, received_at AS "receivedAt", handled_at AS "handledAt"
			FROM withdrawals WHERE user_id = ? ORDER BY received_at, id`},
		{Name: "letters",
			query: `SELECT kind, subject, text, status, created_at AS "createdAt", sent_at AS "sentAt"
			FROM letters WHERE user_id = ? ORDER BY created_at, id`},
		{Name: "reservations", paged: true,
			query: `SELECT id::text, feature, credits, captured AS "capturedCredits", status, metadata::text, created_at AS "createdAt",
			expires_at AS "expiresAt" FROM holds WHERE user_id = ? AND id > ?::uuid ORDER BY id LIMIT ?`},
		{Name: "passes",
			query: `SELECT p.name, p.uses, p.used, p.created_at AS "createdAt", p.expires_at AS "expiresAt"
			FROM gate_passes p JOIN holds h ON h.id = p.hold_id WHERE h.user_id = ? ORDER BY p.created_at, p.hold_id`},
		{Name: "log",
			query: `SELECT created_at AS "createdAt", actor, action, (detail - 'refund_request')::text AS detail FROM audit_log WHERE user_id = ? ORDER BY id`},
	}
}

// Read passes each row of the section to fn, as of the export's snapshot.
func (s Section) Read(export *ledger.Export, userID int64, fn func(columns []string, values []any) error) error {
	if !s.paged {
		return eachRow(export.Snapshot(), fn, s.query, userID)
	}
	for after, n := uuid.Nil.String(), sectionBatch; n == sectionBatch; {
		n = 0
		err := eachRow(export.Snapshot(), func(columns []string, values []any) error {
			n++
			after = fmt.Sprint(values[0])
			return fn(columns, values)
		}, s.query, userID, after, sectionBatch)
		if err != nil {
			return err
		}
	}
	return nil
}

// Columns returns the section's columns, even when it has no rows.
func (s Section) Columns(export *ledger.Export) ([]string, error) {
	args := []any{0}
	if s.paged {
		args = []any{0, uuid.Nil.String(), 0}
	}
	rows, err := export.Snapshot().Raw(s.query, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", s.Name, err)
	}
	defer func() { _ = rows.Close() }() // no row was read
	return rows.Columns()
}

// eachRow passes the column names and values of each row to fn.
func eachRow(db *gorm.DB, fn func(columns []string, values []any) error, query string, args ...any) error {
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err reports what went wrong
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if err := fn(columns, values); err != nil {
			return err
		}
	}
	return rows.Err()
}
