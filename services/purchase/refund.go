package purchase

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	// refundPause is how long until a refund that Stripe did not answer is sent again.
	refundPause = time.Minute
	// refundBudget is for one attempt to send a refund. It ends before the next begins, so no attempt uses a key that
	// another has given up.
	refundBudget = refundPause - 10*time.Second
	// keyLife is how long Stripe surely knows an idempotency key. Source: https://docs.stripe.com/api/idempotent_requests (24 hours)
	keyLife     = 23 * time.Hour
	refundBatch = 20
)

// RefundOrder is money that an admin wants to give back.
type RefundOrder struct {
	PurchaseID uuid.UUID
	ActorID    int64        // the admin; 0 for an operator on the command line
	Cents      models.Cents // 1 to what is left of the payment, in its currency
	Seen       models.Cents // refunded or on its way when the form was rendered: two admins must not both refund
	Waiting    bool         // the purchase waited for a person when the form was rendered: another may have decided since
	Note       string
	Key        string // idempotency key of the form
}

// RequestRefund writes down that a refund is to be made, in the caller's transaction. SendRefund then makes it; should
// nobody come to that, the worker does.
//
// Locks: the purchase, then the admin and the user, the lower id first. Idempotent: by purchase and key; replayed says that the key was used before.
// Errors: fault.NotFound; fault.Invalid for an amount that is not left; fault.Conflict when something was refunded since
// the form was rendered, when somebody decided otherwise, when the key was used for something else, or when nothing was paid.
func RequestRefund(tx models.Tx, o RefundOrder, now time.Time) (request models.RefundRequest, p models.Purchase, replayed bool, err error) {
	if err := ledger.CheckKey(o.Key); err != nil {
		return request, p, false, err
	}
	err = tx.Raw(`SELECT * FROM purchases WHERE id = ? FOR UPDATE`, o.PurchaseID).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return request, p, false, fault.New(fault.NotFound, nil)
	}
	if err != nil {
		return request, p, false, fmt.Errorf("lock purchase %s: %w", o.PurchaseID, err)
	}
	err = tx.Where("purchase_id = ? AND idempotency_key = ?", o.PurchaseID, o.Key).Take(&request).Error
	switch {
	case err == nil && (request.AmountCents != o.Cents || request.Note != o.Note):
		return request, p, false, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	case err == nil:
		return request, p, true, nil
	case !errors.Is(err, gorm.ErrRecordNotFound):
		return request, p, false, fmt.Errorf("look up refund request: %w", err)
	}
	back, err := goneBack(tx.DB, p)
	if err != nil {
		return request, p, false, err
	}
	gone := models.Cents(back.RefundsGood)
	switch {
	case p.PaidAt == nil || p.PaymentIntentID == "":
		return request, p, false, fault.Because(fault.Conflict, fault.NothingPaid)
	case o.Waiting && p.Status != models.PurchaseReview && p.Status != models.PurchaseReturned:
		return request, p, false, errDecided
	case gone != o.Seen:
		return request, p, false, fault.Because(fault.Conflict, fault.RefundedSince)
	case o.Cents < 1 || o.Cents > p.PaidCents-gone:
		return request, p, false, fault.Field("amount", fault.RefundRange)
	}
	if err := keepUsers(tx, o.ActorID, p.UserID); err != nil {
		return request, p, false, err
	}
	request = models.RefundRequest{ID: uuid.New(), PurchaseID: p.ID, IdempotencyKey: o.Key, AmountCents: o.Cents, Note: o.Note,
		Status: models.RefundPending, NextAttemptAt: now.Add(refundPause), CreatedAt: now, UpdatedAt: now}
	if o.ActorID != 0 {
		request.ActorID = &o.ActorID
	}
	if err := tx.Omit("refund_id").Create(&request).Error; err != nil {
		return request, p, false, fmt.Errorf("write refund request: %w", err)
	}
	return request, p, false, nil
}

// keepUsers keeps the rows that the request, and the audit log's line about it, point at. Writing those would lock the
// admin first and the user later, which is the wrong order for every other admin with a higher id than the user's.
func keepUsers(tx models.Tx, ids ...int64) error {
	if err := tx.Exec(`SELECT 1 FROM users WHERE id IN ? ORDER BY id FOR KEY SHARE`, ids).Error; err != nil {
		return fmt.Errorf("keep users %v: %w", ids, err)
	}
	return nil
}

// goneBack is what of a payment went back or is on its way, requests that Stripe has not answered included. Its
// refunds are all in RefundsGood.
func goneBack(db *gorm.DB, p models.Purchase) (money, error) {
	facts, err := moneyBack(db, p)
	if err != nil {
		return facts, err
	}
	var pending models.Cents
	err = db.Raw(`SELECT coalesce(sum(amount_cents), 0) FROM refund_requests r WHERE purchase_id = ? AND status = 'pending'`, p.ID).Scan(&pending).Error
	if err != nil {
		return facts, fmt.Errorf("pending refunds of purchase %s: %w", p.ID, err)
	}
	return money{RefundsGood: facts.refunded() + int64(pending), Disputed: facts.Disputed, Unclear: facts.Unclear}, nil
}

// SendRefund asks Stripe to make the refund and books its answer, as its event will be booked.
//
// Locks: none across the network. Idempotent: by request, at Stripe and here.
// Errors: of the database. What Stripe said is in the request: refused, or still pending when it did not answer.
// Source: https://docs.stripe.com/api/refunds/create
func (s *Service) SendRefund(ctx context.Context, request models.RefundRequest) (models.RefundRequest, error) {
	if request.Status != models.RefundPending {
		return request, nil
	}
	var p models.Purchase
	if err := s.DB.WithContext(ctx).Where("id = ?", request.PurchaseID).Take(&p).Error; err != nil {
		return request, fmt.Errorf("purchase of refund request %s: %w", request.ID, err)
	}
	made, err := s.makeRefund(ctx, request, p)
	switch {
	case err == nil:
		return s.bookMade(context.WithoutCancel(ctx), request, RefundOf(made))
	case refusedRefund(err):
		request.Status, request.LastError = models.RefundRefused, stripeapi.Redact(err).Error()
	case errors.Is(err, errKeySpent):
		request.LastError = err.Error()
		request.KeyNumber++
	default:
		request.LastError = stripeapi.Redact(err).Error()
	}
	s.Log.WarnContext(ctx, "refund not made", "purchase_id", p.ID, "refund_request", request.ID, "status", request.Status, "err", request.LastError)
	return request, keepRequest(s.DB.WithContext(context.WithoutCancel(ctx)), request)
}

// bookMade writes down that Stripe made the refund, and books it.
func (s *Service) bookMade(ctx context.Context, request models.RefundRequest, refund Refund) (models.RefundRequest, error) {
	request.Status, request.RefundID, request.LastError = models.RefundSent, refund.ID, ""
	var rows []models.CreditTransaction
	err := s.WithFacts(ctx, refund, false, func(tx models.Tx, facts StripeFacts) (err error) {
		if err := keepRequest(tx.DB, request); err != nil {
			return err
		}
		rows, err = s.Book(tx, refund, facts, "")
		return err
	})
	if err == nil {
		s.logRefund(ctx, request, rows)
	}
	return request, err
}

// errKeySpent says that Stripe keeps a failure under the refund's idempotency key, and that there is no refund.
var errKeySpent = errors.New("stripe answers this key with a failure")

// makeRefund calls Stripe. After the key's life, and with any key but the first, it looks first whether the refund was
// made and only its answer lost, and so it does after any answer that leaves that open.
//
// A second refund cannot come of it. While a key may still make the refund, it is the only one in use. A key is given up
// when Stripe has repeated the failure that it keeps under it, for then the key's request has ended and will never run
// again, and when the list that was read after that has no such refund.
//
// Errors: errKeySpent. Source: https://docs.stripe.com/api/idempotent_requests
func (s *Service) makeRefund(ctx context.Context, request models.RefundRequest, p models.Purchase) (*stripe.Refund, error) {
	ctx, cancel := context.WithTimeout(ctx, refundBudget)
	defer cancel()
	if request.KeyNumber > 0 || s.Now().Sub(request.CreatedAt) > keyLife {
		if found, err := s.findRefund(ctx, request, p); err != nil || found != nil {
			return found, err
		}
	}
	params := &stripe.RefundParams{
		PaymentIntent: stripe.String(p.PaymentIntentID), Amount: stripe.Int64(int64(request.AmountCents)),
		Reason:   stripe.String(string(stripe.RefundReasonRequestedByCustomer)),
		Metadata: map[string]string{requestTag: request.ID.String(), "purchase_id": p.ID.String()},
	}
	i, err := s.Installation(ctx)
	if err != nil {
		return nil, err
	}
	if request.CreatedAt.After(i.CreatedAt) { // an earlier one may have been sent before there was a tag
		params.AddMetadata(stripeapi.TagKey, i.ID.String())
	}
	params.Context = ctx
	params.SetIdempotencyKey(refundKey(request))
	made, err := s.Stripe.Refunds.New(params)
	if err == nil || refusedRefund(err) {
		return made, err
	}
	found, e := s.findRefund(ctx, request, p)
	switch {
	case e == nil && found != nil:
		return found, nil
	case e == nil && repeatedFailure(err):
		return nil, errKeySpent
	}
	return nil, err
}

func refundKey(r models.RefundRequest) string {
	if r.KeyNumber == 0 {
		return "refund:" + r.ID.String()
	}
	return fmt.Sprintf("refund:%s:%d", r.ID, r.KeyNumber)
}

// repeatedFailure reports whether an error is one that Stripe keeps under the idempotency key, rather than one of this
// attempt.
func repeatedFailure(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.HTTPStatusCode >= 500 && e.LastResponse != nil && e.LastResponse.Header.Get("Idempotent-Replayed") == "true"
}

// requestTag is under which metadata a refund at Stripe says which request it answers.
const requestTag = "refund_request"

func (s *Service) findRefund(ctx context.Context, request models.RefundRequest, p models.Purchase) (*stripe.Refund, error) {
	params := &stripe.RefundListParams{PaymentIntent: stripe.String(p.PaymentIntentID)}
	params.Context = ctx
	params.Limit = stripe.Int64(stripeapi.PageSize)
	refunds := s.Stripe.Refunds.List(params)
	for refunds.Next() {
		if r := refunds.Refund(); r.Metadata[requestTag] == request.ID.String() {
			return r, nil
		}
	}
	if refunds.Err() != nil {
		return nil, fmt.Errorf("look for the refund: %w", stripeapi.Redact(refunds.Err())) // no *stripe.Error: not the refund was refused
	}
	return nil, nil
}

// refusedRefund reports whether Stripe understood the request and will not make the refund, now or later.
func refusedRefund(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Type != stripe.ErrorTypeIdempotency && e.HTTPStatusCode >= 400 && e.HTTPStatusCode < 500 && e.HTTPStatusCode != http.StatusConflict &&
		e.HTTPStatusCode != http.StatusTooManyRequests && e.HTTPStatusCode != http.StatusUnauthorized && e.HTTPStatusCode != http.StatusForbidden
}

func keepRequest(db *gorm.DB, r models.RefundRequest) error {
	err := db.Exec(`UPDATE refund_requests SET status = ?, refund_id = NULLIF(?, ''), last_error = ?, key_number = greatest(key_number, ?), updated_at = now()
		WHERE id = ? AND status = 'pending'`, r.Status, r.RefundID, r.LastError, r.KeyNumber, r.ID).Error
	if err != nil {
		return fmt.Errorf("keep refund request %s: %w", r.ID, err)
	}
	return nil
}

func (s *Service) logRefund(ctx context.Context, request models.RefundRequest, rows []models.CreditTransaction) {
	s.Log.InfoContext(ctx, "refund made", "purchase_id", request.PurchaseID, "refund_request", request.ID, "cents", request.AmountCents)
	for _, row := range rows {
		s.Log.InfoContext(ctx, "credits moved", "user_id", row.UserID, "kind", row.Reason, "credits", row.DeltaCredits,
			"transaction_id", row.ID, "purchase_id", request.PurchaseID)
	}
}

// SendRefundsDue sends every refund that Stripe has not answered and whose time has come.
// Errors: of the database.
func (s *Service) SendRefundsDue(ctx context.Context) error {
	var due []models.RefundRequest
	err := s.DB.WithContext(ctx).Raw(`UPDATE refund_requests SET next_attempt_at = @next WHERE id IN (
		SELECT id FROM refund_requests WHERE status = 'pending' AND next_attempt_at <= @now ORDER BY next_attempt_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		RETURNING *`, map[string]any{"now": s.Now(), "next": s.Now().Add(refundPause), "batch": refundBatch}).Scan(&due).Error
	if err != nil {
		return fmt.Errorf("refunds that are due: %w", err)
	}
	for _, request := range due {
		if _, e := s.SendRefund(ctx, request); e != nil {
			err = e
		}
	}
	return err
}
