package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	balancePage = 500
	// renewAfter is how many objects are compared before the lease is renewed, since each may need a call to Stripe.
	renewAfter = 10
	// maxRetries is how often a page is requested again after 429 Too Many Requests, with pauses that double.
	maxRetries = 5
	firstPause = time.Second
)

// errCursorGone reports that Stripe no longer knows the object after which a page begins.
var errCursorGone = errors.New("cursor object is unknown to Stripe")

// compareSessions compares a page of Checkout Sessions. It finds those that are paid but not credited, expired but
// still pending, and refused by the bank but still awaiting payment.
// Source: https://docs.stripe.com/api/checkout/sessions/list
func (s *Service) compareSessions(ctx context.Context, r *models.Reconciliation) (page, error) {
	params := &stripe.CheckoutSessionListParams{ListParams: pageOf(ctx, r), CreatedRange: createdSince(r, reach)}
	params.AddExpand("data.payment_intent")
	list := func() *stripe.Iter { return s.Purchase.Stripe.CheckoutSessions.List(params).Iter }
	return s.comparePage(ctx, r, list, func(object any) (string, purchase.Report) {
		session := object.(*stripe.CheckoutSession)
		if session.Mode != stripe.CheckoutSessionModePayment || session.Livemode != s.Purchase.Livemode ||
			session.Status == stripe.CheckoutSessionStatusOpen {
			return session.ID, nil // another product, or not paid yet
		}
		return session.ID, purchase.CheckoutOf(session)
	})
}

// compareRefunds compares a page of refunds.
// Source: https://docs.stripe.com/api/refunds/list
func (s *Service) compareRefunds(ctx context.Context, r *models.Reconciliation) (page, error) {
	params := &stripe.RefundListParams{ListParams: pageOf(ctx, r), CreatedRange: createdSince(r, lateReach)}
	list := func() *stripe.Iter { return s.Purchase.Stripe.Refunds.List(params).Iter }
	return s.comparePage(ctx, r, list, func(object any) (string, purchase.Report) {
		refund := object.(*stripe.Refund)
		return refund.ID, purchase.RefundOf(refund)
	})
}

// compareDisputes compares a page of disputes.
// Source: https://docs.stripe.com/api/disputes/list
func (s *Service) compareDisputes(ctx context.Context, r *models.Reconciliation) (page, error) {
	params := &stripe.DisputeListParams{ListParams: pageOf(ctx, r), CreatedRange: createdSince(r, lateReach)}
	list := func() *stripe.Iter { return s.Purchase.Stripe.Disputes.List(params).Iter }
	return s.comparePage(ctx, r, list, func(object any) (string, purchase.Report) {
		dispute := object.(*stripe.Dispute)
		return dispute.ID, purchase.DisputeOf(dispute)
	})
}

// comparePage reads one page of a list and compares each object for which read returns a report.
func (s *Service) comparePage(
	ctx context.Context, r *models.Reconciliation, list func() *stripe.Iter, read func(any) (string, purchase.Report),
) (page, error) {
	objects, more, err := readList(ctx, list)
	if err != nil {
		return page{}, err
	}
	p := page{checked: int64(len(objects)), more: more}
	for i, object := range objects {
		id, report := read(object)
		p.last = id
		if report == nil {
			continue
		}
		if err := s.compareObject(ctx, r, id, report); err != nil {
			return page{}, err
		}
		if i%renewAfter == renewAfter-1 {
			r.Cursor = id
			if err := s.saveRun(ctx, r); err != nil {
				return page{}, err
			}
		}
	}
	return p, nil
}

// compareObject books one Stripe object and stores a finding for each resulting entry. An object that cannot be
// booked goes to review and does not block the others.
// Errors: of the database or of an unreachable Stripe; the run resumes at this page later.
func (s *Service) compareObject(
	ctx context.Context, r *models.Reconciliation, objectID string, report purchase.Report,
) error {
	_, err := s.Purchase.BookFetched(ctx, report, func(tx models.Tx, rows []models.CreditTransaction) error {
		for _, row := range rows { // in the entries' transaction: every correction is reported
			if err := insertFinding(tx.DB, findingOf(r, objectID, row)); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, purchase.ErrNotOurs):
		return nil
	case err != nil && s.transient(ctx, err):
		return err
	case err != nil:
		return s.review(ctx, r, objectID, err)
	}
	return nil
}

// findingOf describes an entry that reconciling booked.
func findingOf(r *models.Reconciliation, objectID string, row models.CreditTransaction) models.Finding {
	f := models.Finding{
		ReconciliationID: r.ID, ObjectID: objectID, Kind: models.FindingPurchase,
		UserID: &row.UserID, Credits: row.DeltaCredits,
	}
	switch row.Reason {
	case models.ReasonRefund:
		f.Kind = models.FindingRefund
	case models.ReasonDispute:
		f.Kind = models.FindingDispute
	}
	if id, err := uuid.Parse(row.Meta.PurchaseID); err == nil {
		f.PurchaseID = &id
	}
	return f
}

// compareBalances compares a page of users' balances with the sums of their entries, and sets a differing balance to
// the sum, because the entries are the source of truth.
func (s *Service) compareBalances(ctx context.Context, r *models.Reconciliation) (page, error) {
	after, err := strconv.ParseInt("0"+r.Cursor, 10, 64)
	if err != nil {
		return page{}, fmt.Errorf("parse cursor of reconciliation %d: %w", r.ID, err)
	}
	var users []struct {
		ID      int64
		Differs bool
	}
	err = s.DB.WithContext(ctx).Raw(`SELECT u.id, u.credits_balance <>
			(SELECT coalesce(sum(t.delta_credits), 0) FROM credit_transactions t WHERE t.user_id = u.id) AS differs
		FROM users u WHERE u.id > ? ORDER BY u.id LIMIT ?`, after, balancePage).Scan(&users).Error
	if err != nil {
		return page{}, fmt.Errorf("compare balances: %w", err)
	}
	p := page{checked: int64(len(users)), more: len(users) == balancePage}
	for _, u := range users {
		p.last = strconv.FormatInt(u.ID, 10)
		if !u.Differs {
			continue
		}
		err := s.repairBalance(ctx, r, u.ID)
		if err != nil && !s.transient(ctx, err) { // the entries are inconsistent, so the database refuses any balance
			err = s.review(ctx, r, fmt.Sprintf("user:%d", u.ID), models.CauseLedger)
		}
		if err != nil {
			return page{}, err
		}
	}
	return p, nil
}

// repairBalance sets a user's balance to the sum of their entries and stores a finding.
// Locks: the user.
func (s *Service) repairBalance(ctx context.Context, r *models.Reconciliation, userID int64) error {
	var was, is models.Credits
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		var err error
		if was, is, err = ledger.RepairBalance(tx, userID); err != nil || is == was {
			return err
		}
		return insertFinding(tx.DB, models.Finding{
			ReconciliationID: r.ID, Kind: models.FindingBalance, ObjectID: fmt.Sprintf("user:%d", userID), UserID: &userID,
			Credits: is - was,
		})
	})
	if err != nil || is == was { // equal when an entry was being booked during the comparison
		return err
	}
	s.Log.ErrorContext(ctx, "balance did not match its entries", "user_id", userID, "was", was, "credits", is)
	return nil
}

// transient reports whether a later attempt may succeed, so that the run stops and resumes.
func (s *Service) transient(ctx context.Context, err error) bool {
	return ctx.Err() != nil || postgres.Away(err) || fault.Is(err, fault.Unavailable) || errors.Is(err, ErrRunning) ||
		errors.Is(err, purchase.ErrStaleFacts)
}

// review stores a finding that needs a person, and logs it the first time.
func (s *Service) review(ctx context.Context, r *models.Reconciliation, objectID string, cause error) error {
	note := models.CauseOf(cause)
	known, err := s.reviewed(ctx, objectID, note)
	if err != nil || known {
		return err
	}
	s.Log.ErrorContext(ctx, "reconciliation needs a person", "object_id", objectID, "err", cause)
	return insertFinding(s.DB.WithContext(ctx), models.Finding{
		ReconciliationID: r.ID, Kind: models.FindingReview, ObjectID: objectID, Note: note,
	})
}

// reviewed reports whether the same review was stored by an earlier run.
func (s *Service) reviewed(ctx context.Context, objectID string, note models.Cause) (bool, error) {
	var n int64
	err := s.DB.WithContext(ctx).Raw(`SELECT count(*) FROM reconciliation_findings
		WHERE kind = 'review' AND object_id = ? AND note = ?`, objectID, note).Scan(&n).Error
	if err != nil {
		return false, fmt.Errorf("look for a review: %w", err)
	}
	return n > 0, nil
}

// insertFinding stores a finding. It stores a review only once.
func insertFinding(db *gorm.DB, f models.Finding) error {
	err := db.Exec(
		`INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, purchase_id, user_id, credits, note)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (object_id, note) WHERE kind = 'review' DO NOTHING`,
		f.ReconciliationID, f.Kind, f.ObjectID, f.PurchaseID, f.UserID, f.Credits, f.Note).Error
	if err != nil {
		return fmt.Errorf("store finding: %w", err)
	}
	return nil
}

// pageOf returns the parameters of the page after the run's cursor.
func pageOf(ctx context.Context, r *models.Reconciliation) stripe.ListParams {
	params := stripe.ListParams{Context: ctx, Limit: stripe.Int64(stripeapi.PageSize), Single: true}
	if r.Cursor != "" {
		params.StartingAfter = stripe.String(r.Cursor)
	}
	return params
}

// createdSince limits a list to objects created up to back before the run began; r.Since is reach before it.
func createdSince(r *models.Reconciliation, back time.Duration) *stripe.RangeQueryParams {
	return &stripe.RangeQueryParams{GreaterThanOrEqual: r.Since.Add(reach - back).Unix()}
}

// readList reads a page. It pauses and retries while Stripe answers 429.
// Errors: errCursorGone; fault.Unavailable. Source: https://docs.stripe.com/rate-limits
func readList(ctx context.Context, list func() *stripe.Iter) (objects []any, more bool, err error) {
	pause := firstPause
	for attempt := 0; ; attempt++ {
		iter := list()
		for objects = nil; iter.Next(); {
			objects = append(objects, iter.Current())
		}
		var e *stripe.Error
		switch err := iter.Err(); {
		case err == nil:
			return objects, iter.Meta().HasMore, nil
		case stripeapi.MissingParam(err) == "starting_after":
			return nil, false, errCursorGone
		case !errors.As(err, &e) || e.HTTPStatusCode != http.StatusTooManyRequests || attempt == maxRetries:
			return nil, false, stripeapi.Fault(err)
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}
