package admin

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// hitLimit is how many things of one kind a search by id returns.
const hitLimit = 10

// hitsSQL finds by id: @text verbatim, @uuid, a user's number @user, or a purchase's @number.
const hitsSQL = `WITH paid AS (
	SELECT @text AS payment_ref UNION SELECT payment_ref FROM stripe_charges WHERE charge_id = @text
	UNION SELECT payment_ref FROM stripe_refunds WHERE refund_id = @text
	UNION SELECT payment_ref FROM stripe_disputes WHERE dispute_id = @text),
ordered AS (
	SELECT id FROM purchases WHERE number = @number UNION SELECT id FROM purchases WHERE id = @uuid
	UNION SELECT id FROM purchases WHERE checkout_session_id = @text UNION SELECT id FROM purchases WHERE recovered_from = @text
	UNION SELECT id FROM purchases WHERE payment_intent_id IN (SELECT payment_ref FROM paid)),
hit AS (
	SELECT 'user' AS kind, u.id::text AS id, u.created_at AS at, u.id AS owner, NULL::uuid AS purchase, '' AS declarant FROM users u WHERE u.id IN (
		SELECT CAST(@user AS integer) UNION SELECT id FROM users WHERE stripe_customer_id = @text
		UNION SELECT user_id FROM stripe_customers WHERE customer_id = @text)
	UNION ALL SELECT 'purchase', p.id::text, p.created_at, p.user_id, p.id, '' FROM purchases p WHERE p.id IN (SELECT id FROM ordered)
	UNION ALL SELECT 'event', event_id, received_at, NULL::integer, NULL::uuid, '' FROM stripe_events WHERE event_id = @text
	UNION ALL SELECT 'hold', id::text, created_at, user_id, NULL, '' FROM holds WHERE id = @uuid
	UNION ALL SELECT 'withdrawal', id::text, received_at, user_id, purchase_id, name FROM withdrawals WHERE id = @uuid
	UNION ALL (SELECT 'request', max(request_id), min(created_at), user_id, NULL, '' FROM audit_log
		WHERE request_id = @text AND request_id <> '' GROUP BY user_id ORDER BY 3 LIMIT @limit))` + showHits

// eventsSQL finds the events about an object or a payment at Stripe.
const eventsSQL = `WITH hit AS (SELECT 'event' AS kind, event_id AS id, received_at AS at, NULL::integer AS owner, NULL::uuid AS purchase, '' AS declarant
	FROM stripe_events WHERE event_id IN (SELECT event_id FROM stripe_events WHERE object_id = @text AND object_id <> ''
		UNION SELECT event_id FROM stripe_events WHERE payment_ref = @text AND payment_ref <> '')
	ORDER BY received_at DESC LIMIT @limit)` + showHits

// anonymousSQL finds declarations of withdrawal by people without an account.
const anonymousSQL = `WITH hit AS (SELECT 'withdrawal' AS kind, id::text AS id, received_at AS at, NULL::integer AS owner, purchase_id AS purchase, name AS declarant
	FROM withdrawals WHERE user_id IS NULL AND strpos(lower(email) || ' ' || lower(name), lower(@text)) > 0
	ORDER BY received_at DESC LIMIT @limit)` + showHits

const showHits = ` SELECT h.kind, h.id, h.at, h.declarant, h.purchase AS purchase_id, coalesce(p.number, 0) AS number, coalesce(u.id, 0) AS user_id,
		coalesce(u.email, '') AS user_email, coalesce(u.name, '') AS user_name, u.deleted_at AS user_deleted_at
	FROM hit h LEFT JOIN users u ON u.id = h.owner LEFT JOIN purchases p ON p.id = h.purchase ORDER BY h.at DESC, h.id`

// namedID matches the ids of Stripe, our pages and our logs: evt_1Q…, req_abc….
var namedID = regexp.MustCompile(`^[a-z]{2,10}_[A-Za-z0-9_]{1,200}$`)

// invoicePrefix begins the id of an invoice, which only Stripe knows.
const invoicePrefix = "in_"

// FindByID returns what an id names, newest first: the number of a user or a purchase, our id of a purchase, hold or
// withdrawal, the id of a request, or an id at Stripe. isID is false if no id looks like text.
//
// Errors: fault.Unavailable when an invoice is searched for and Stripe does not answer.
func (s *Service) FindByID(ctx context.Context, text string) (hits []models.Hit, isID bool, err error) {
	text = strings.TrimSpace(text)
	number := models.ParsePurchaseNumber(text)
	userID, err := strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 32)
	if err != nil || userID < 1 {
		userID = 0
	}
	id, err := uuid.Parse(text)
	named := namedID.MatchString(text)
	if number == 0 && userID == 0 && err != nil && !named {
		return nil, false, nil
	}
	args := []any{sql.Named("text", text), sql.Named("uuid", id), sql.Named("user", userID), sql.Named("number", number),
		sql.Named("limit", hitLimit)}
	hits, err = s.findHits(ctx, hitsSQL, args...)
	if err != nil || len(hits) > 0 || !named {
		return hits, true, err
	}
	if strings.HasPrefix(text, invoicePrefix) {
		if args[0], err = s.paymentOf(ctx, text); err != nil {
			return nil, true, err
		}
		hits, err = s.findHits(ctx, hitsSQL, args...)
		return hits, true, err
	}
	hits, err = s.findHits(ctx, eventsSQL, args...)
	return hits, true, err
}

// paymentOf asks Stripe for the payment of an invoice.
func (s *Service) paymentOf(ctx context.Context, invoice string) (sql.NamedArg, error) {
	payment, err := s.Purchase.PaymentOfInvoice(ctx, invoice)
	return sql.Named("text", payment), err
}

// FindAnonymousWithdrawals returns the newest declarations of withdrawal by people without an account whose name or
// address contains text.
func (s *Service) FindAnonymousWithdrawals(ctx context.Context, text string) ([]models.Hit, error) {
	if text = strings.TrimSpace(text); text == "" || !models.Storable(text) {
		return nil, nil
	}
	return s.findHits(ctx, anonymousSQL, sql.Named("text", text), sql.Named("limit", hitLimit))
}

func (s *Service) findHits(ctx context.Context, query string, args ...any) (hits []models.Hit, err error) {
	if err := s.DB.WithContext(ctx).Raw(query, args...).Scan(&hits).Error; err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return hits, nil
}
