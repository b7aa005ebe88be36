package purchase

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	// refundPause is the time between two attempts to send a refund that Stripe has not answered.
	refundPause = time.Minute
	// refundBudget bounds one attempt to send a refund. It ends before the next attempt begins, so that no attempt uses a
	// key that another has given up.
	refundBudget = refundPause - 10*time.Second
	// keyLife is how long Stripe is sure to know an idempotency key; it forgets keys after 24 hours.
	// Source: https://docs.stripe.com/api/idempotent_requests
	keyLife = 23 * time.Hour
	// refundWait is how long a form waits for Stripe. After it, the worker sends the refund, and the page says so.
	refundWait = 6 * time.Second
	// refundBatch bounds the refunds that are sent in a row.
	refundBatch = 20
)

// SendRefund asks Stripe to make the refund, and books the answer by the same rules as its event.
//
// Locks: none across the network. Idempotent: by request, at Stripe and here.
// Errors: of the database. The request returned says whether Stripe refused, or did not answer and it is still pending.
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
		return s.bookRefund(context.WithoutCancel(ctx), request, p, RefundOf(made))
	case refusedRefund(err):
		request.Status = models.RefundRefused
	case errors.Is(err, models.CauseKeySpent):
		request.KeyNumber++
	}
	err = stripeapi.Redact(err)
	request.LastError = models.CauseOf(err)
	s.Log.WarnContext(ctx, "refund failed", "purchase_id", p.ID, "refund_request", request.ID, "status", request.Status,
		"err", err)
	return request, postgres.Transaction(context.WithoutCancel(ctx), s.DB, func(tx models.Tx) error {
		if err := saveRequest(tx.DB, request); err != nil || request.Status == models.RefundPending {
			return err
		}
		_, err := endHold(tx, p.UserID, request.HoldID)
		return err
	})
}

// SendRefundNow sends a stored request while a form waits for it, and leaves it to the worker if Stripe does not answer
// in time or the answer cannot be booked.
func (s *Service) SendRefundNow(ctx context.Context, request models.RefundRequest) models.RefundRequest {
	inTime, cancel := context.WithTimeout(ctx, refundWait)
	defer cancel()
	sent, err := s.SendRefund(inTime, request)
	if err != nil {
		s.Log.WarnContext(ctx, "refund is left to the worker", "refund_request", request.ID, "err", err)
		return request
	}
	return sent
}

// bookRefund saves that Stripe made the refund, books it, and then frees what the request held of it.
func (s *Service) bookRefund(ctx context.Context, request models.RefundRequest, p models.Purchase, refund Refund,
) (models.RefundRequest, error) {
	request.Status, request.RefundID, request.LastError = models.RefundSent, refund.ID, ""
	err := s.WithFacts(ctx, refund, false, func(tx models.Tx, facts StripeFacts) ([]models.CreditTransaction, error) {
		if err := saveRequest(tx.DB, request); err != nil {
			return nil, err
		}
		rows, err := s.Book(tx, refund, facts, "")
		if err != nil && !errors.As(err, new(ReviewError)) {
			return nil, err
		}
		if _, e := endHold(tx, p.UserID, request.HoldID); e != nil {
			return nil, e
		}
		return rows, err
	})
	if err == nil {
		s.Log.InfoContext(ctx, "refund made", "purchase_id", request.PurchaseID, "refund_request", request.ID,
			"cents", request.AmountCents)
	}
	return request, err
}

// makeRefund asks Stripe for the refund. It first looks for an earlier refund of the request when the key may have
// expired or is not the first, because an answer may have been lost. It looks again after any answer that leaves this
// open.
//
// It never makes a second refund. While a key may still make the refund, no other key is used. A key is given up once
// Stripe has repeated its stored failure, because that request has ended and never runs again, and the list of refunds
// read after that contains no refund of the request.
//
// Errors: models.CauseKeySpent. Source: https://docs.stripe.com/api/idempotent_requests
func (s *Service) makeRefund(ctx context.Context, request models.RefundRequest, p models.Purchase,
) (*stripe.Refund, error) {
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
	if request.CreatedAt.After(i.CreatedAt) { // an older request may have been sent without a tag
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
		return nil, models.CauseKeySpent
	}
	return nil, err
}

func refundKey(r models.RefundRequest) string {
	if r.KeyNumber == 0 {
		return "refund:" + r.ID.String()
	}
	return fmt.Sprintf("refund:%s:%d", r.ID, r.KeyNumber)
}

// requestTag is the metadata key with the id of the request that a refund at Stripe answers.
const requestTag = "refund_request"

// findRefund returns the refund at Stripe that answers a request, or nil.
func (s *Service) findRefund(ctx context.Context, request models.RefundRequest, p models.Purchase,
) (*stripe.Refund, error) {
	params := &stripe.RefundListParams{PaymentIntent: stripe.String(p.PaymentIntentID)}
	params.Context = ctx
	params.Limit = stripe.Int64(stripeapi.PageSize)
	refunds := s.Stripe.Refunds.List(params)
	for refunds.Next() {
		if r := refunds.Refund(); r.Metadata[requestTag] == request.ID.String() {
			return r, nil
		}
	}
	if refunds.Err() != nil { // Redact hides the *stripe.Error, which would look like a refused refund
		return nil, fmt.Errorf("look for the refund: %w", stripeapi.Redact(refunds.Err()))
	}
	return nil, nil
}

// refusedRefund reports whether Stripe has refused the refund for good.
func refusedRefund(err error) bool {
	var e *stripe.Error
	if !errors.As(err, &e) || e.Type == stripe.ErrorTypeIdempotency {
		return false
	}
	switch e.HTTPStatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return e.HTTPStatusCode >= 400 && e.HTTPStatusCode < 500
}

// SendRefundsDue sends up to refundBatch refunds whose next attempt is due.
//
// Errors: of the database; the last one, after all were tried.
func (s *Service) SendRefundsDue(ctx context.Context) error {
	var due []models.RefundRequest
	err := s.DB.WithContext(ctx).Raw(`UPDATE refund_requests SET next_attempt_at = @next WHERE id IN (
		SELECT id FROM refund_requests WHERE status = 'pending' AND next_attempt_at <= @now ORDER BY next_attempt_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		RETURNING *`, map[string]any{"now": s.Now(), "next": s.Now().Add(refundPause), "batch": refundBatch}).Scan(&due).Error
	if err != nil {
		return fmt.Errorf("refund requests that are due: %w", err)
	}
	for _, request := range due {
		if _, e := s.SendRefund(ctx, request); e != nil {
			err = e
		}
	}
	return err
}
