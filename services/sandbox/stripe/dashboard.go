package stripe

import (
	"context"
	"database/sql"
	"net/http"
	"time"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// maxRows bounds each list of the dashboard and of the delivery page.
const maxRows = 100

type dashboardPage struct {
	page
	Open     []openRow
	Payments []paymentRow
	Events   []eventRow
	Error    string
	Done     string
}

type paymentRow struct {
	ID, Time, Amount, Refunded, State, Customer, Session, Currency string
	Rest                                                           string // what can still be refunded, empty when nothing
	Seen                                                           int64  // refunds and disputes at the time of the page
}

type eventRow struct {
	delivery.Event
	Time, Status string
}

// showDashboard lists payments and the delivery of events.
func (s *Server) showDashboard(w http.ResponseWriter, r *http.Request) {
	p := dashboardPage{page: s.pages.page(nil, r, "dashboard.title")}
	p.Done, p.Error = p.outcome(r)
	err := s.store.read(r.Context(), func(ctx context.Context, t *txn) (err error) {
		if p.Open, err = t.openSessions(ctx, p.page); err != nil {
			return err
		}
		if p.Payments, err = t.payments(ctx, p.page); err != nil {
			return err
		}
		events, err := t.Events(ctx, maxRows)
		for _, e := range events {
			p.Events = append(p.Events, p.event(e))
		}
		return err
	})
	if err != nil {
		s.showError(w, r, err, nil)
		return
	}
	s.send(w, http.StatusOK, "dashboard.html", p)
}

func (t *txn) payments(ctx context.Context, p page) ([]paymentRow, error) {
	return delivery.Collect(ctx, &t.Tx, p.scanPayment, `SELECT i.id, i.created_at, i.data ->> 'currency', (c.data ->> 'amount')::bigint,
			(c.data ->> 'amount_refunded')::bigint, coalesce(s.data -> 'customer_details' ->> 'email', i.data ->> 'customer', ''), coalesce(s.id, ''), i.data ->> 'status',
			CASE WHEN c.data ->> 'status' = $4 OR EXISTS (SELECT FROM stripe_sandbox.objects d WHERE d.kind = $5
				AND d.data ->> 'payment_intent' = i.id AND d.data ->> 'status' IN ($6, $7, $8)) THEN 0
			ELSE (c.data ->> 'amount')::bigint - (SELECT coalesce(sum((r.data ->> 'amount')::bigint), 0) FROM stripe_sandbox.objects r
				WHERE r.kind = $9 AND r.data ->> 'payment_intent' = i.id AND r.data ->> 'status' NOT IN ($10, $11)) END,
			(SELECT count(*) FROM stripe_sandbox.objects back WHERE back.kind IN ($5, $9) AND back.data ->> 'payment_intent' = i.id)
		FROM stripe_sandbox.objects i
		JOIN stripe_sandbox.objects c ON c.id = i.data ->> 'latest_charge'
		LEFT JOIN stripe_sandbox.objects s ON s.kind = $1 AND s.data ->> 'payment_intent' = i.id
		WHERE i.kind = $2 ORDER BY i.seq DESC LIMIT $3`, kindSession, kindIntent, maxRows,
		chargeFailed, kindDispute, disputeOpen, disputeReview, disputeLost, kindRefund, refundFailed, refundCanceled)
}

func (p page) scanPayment(rows *sql.Rows, one *paymentRow) error {
	var at time.Time
	var amount, refunded, rest int64
	err := rows.Scan(&one.ID, &at, &one.Currency, &amount, &refunded, &one.Customer, &one.Session, &one.State, &rest,
		&one.Seen)
	one.Time = p.formatTime(at)
	one.Amount, one.Refunded = p.money(amount, one.Currency), p.money(refunded, one.Currency)
	one.State = p.T("payment.state." + one.State)
	if rest > 0 {
		one.Rest = p.typed(rest, one.Currency)
	}
	return err
}

// event formats an event for the page.
func (p page) event(e delivery.Event) eventRow {
	row := eventRow{Event: e, Time: p.formatTime(e.At)}
	switch {
	case e.Delivered && e.Attempts == 0:
		row.Status = p.T("dashboard.unheard")
	case e.Delivered:
		row.Status = p.T("dashboard.delivered", "status", p.answer(e.Status))
	case e.Attempts == 0:
		row.Status = p.T("dashboard.waiting")
	default:
		row.Status = p.T("dashboard.failed", "status", p.answer(e.Status))
	}
	return row
}

// receiptPage is the receipt that a charge's receipt_url leads to.
type receiptPage struct {
	page
	ID, Time, Amount, Refunded string
}

func (s *Server) showReceipt(w http.ResponseWriter, r *http.Request) {
	var ch charge
	if !s.shown(w, r, kindCharge, func(ctx context.Context, t *txn, id string) error {
		return t.get(ctx, id, pathParam[kindCharge], &ch)
	}) {
		return
	}
	p := receiptPage{page: s.pages.page(nil, r, "receipt.title"), ID: ch.ID}
	p.Time, p.Amount = p.formatTime(time.Unix(ch.Created, 0)), p.money(ch.Amount, ch.Currency)
	if ch.AmountRefunded > 0 {
		p.Refunded = p.money(ch.AmountRefunded, ch.Currency)
	}
	s.send(w, http.StatusOK, "receipt.html", p)
}
