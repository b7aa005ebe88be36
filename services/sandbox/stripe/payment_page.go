package stripe

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// paymentPage shows one payment and the actions that its state allows.
type paymentPage struct {
	page
	ID, Session, Time, Amount, Refunded, State string
	ChargeID, Receipt, Failure                 string
	Email, Customer                            string // Customer is empty when there is none, or none any more
	Steps                                      []step
	// Rest is empty when nothing can be refunded, Whole when nothing can be disputed
	Rest, Whole, Currency string
	Debit                 bool
	Seen                  int64
	Refunds, Disputes     []reversal
	Back, Done, Error     string
}

// buttons are the actions on one object, and the page to return to.
type buttons struct {
	page
	Back  string
	Steps []step
}

// Of returns the buttons for these steps.
func (p *paymentPage) Of(steps []step) buttons { return buttons{p.page, p.Back, steps} }

// reversal is a refund or a dispute, with the actions that its state allows.
type reversal struct {
	ID, Time, Amount, State, Note string
	Steps                         []step
}

// step is a button: the address it posts to and the key of its label.
type step struct{ ID, Path, Label string }

// showPayment serves the page of one payment.
func (s *Server) showPayment(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p := &paymentPage{page: s.pages.page(nil, r, "payment.title"), ID: id,
		Back: "/dashboard/payments/" + id}
	p.Done, p.Error = p.outcome(r)
	if s.shown(w, r, kindIntent, func(ctx context.Context, t *txn, _ string) error { return p.fill(ctx, t) }) {
		s.send(w, http.StatusOK, "payment.html", p)
	}
}

// fill reads the payment.
func (p *paymentPage) fill(ctx context.Context, t *txn) error {
	var pi intent
	if err := t.get(ctx, p.ID, pathParam[kindIntent], &pi); err != nil {
		return err
	}
	ch, err := t.chargeOfPayment(ctx, p.ID, pathParam[kindIntent])
	if err != nil {
		return err
	}
	cs, err := t.sessionOf(ctx, p.ID)
	if err != nil {
		return err
	}
	if cs != nil {
		p.Session = cs.ID
	}
	p.Time, p.State = p.formatTime(time.Unix(pi.Created, 0)), p.T("payment.state."+pi.Status)
	p.Amount, p.Refunded, p.Currency = p.money(pi.Amount, pi.Currency), p.money(ch.AmountRefunded,
		pi.Currency), pi.Currency
	p.ChargeID, p.Receipt, p.Debit = ch.ID, "/receipts/"+ch.ID, ch.debit()
	if ch.FailureCode != nil {
		p.Failure = *ch.FailureCode
	}
	if pi.Status == intentProcessing {
		p.Steps = p.steps("payments", pi.ID, "succeed", "fail")
	}
	if err := p.buyer(ctx, t, ch); err != nil {
		return err
	}
	if err := p.fillAmounts(ctx, t, ch); err != nil {
		return err
	}
	if err := p.refunds(ctx, t, ch); err != nil {
		return err
	}
	return p.disputes(ctx, t)
}

func (p *paymentPage) buyer(ctx context.Context, t *txn, ch *charge) error {
	if ch.BillingDetails.Email != nil {
		p.Email = *ch.BillingDetails.Email
	}
	if ch.Customer == nil {
		return nil
	}
	var cus customer
	if err := t.get(ctx, *ch.Customer, pathParam[kindCustomer], &cus); err != nil {
		return err
	}
	if !cus.Deleted {
		p.Customer = cus.ID
	}
	return nil
}

// fillAmounts sets the amounts that the forms for a refund and a dispute start with.
func (p *paymentPage) fillAmounts(ctx context.Context, t *txn, ch *charge) error {
	rest, err := t.refundable(ctx, ch)
	if err != nil {
		return err
	}
	held, err := t.chargedBack(ctx, ch)
	if err != nil {
		return err
	}
	if rest > 0 && !held && ch.Status != chargeFailed {
		p.Rest = p.typed(rest, ch.Currency)
	}
	if ch.Status == chargeSucceeded {
		p.Whole = p.typed(ch.Amount, ch.Currency)
	}
	p.Seen, err = t.countReversals(ctx, p.ID)
	return err
}

func (p *paymentPage) refunds(ctx context.Context, t *txn, ch *charge) error {
	ids, err := t.idsOfPayment(ctx, kindRefund, p.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		var re refund
		if err := t.get(ctx, id, pathParam[kindRefund], &re); err != nil {
			return err
		}
		one := reversal{
			ID: id, Time: p.formatTime(time.Unix(re.Created, 0)), Amount: p.money(re.Amount, re.Currency),
			State: p.T("refund.state." + re.Status), Note: re.FailureReason,
		}
		for _, way := range []struct{ name, to string }{{"succeed", refundSucceeded}, {"fail", refundFailed},
			{"cancel", refundCanceled}} {
			early := way.to == refundSucceeded && ch.Status != chargeSucceeded // it waits for its payment
			if slices.Contains(refundSteps[way.to], re.Status) && !early {
				one.Steps = append(one.Steps, p.steps("refunds", id, way.name)...)
			}
		}
		p.Refunds = append(p.Refunds, one)
	}
	return nil
}

func (p *paymentPage) disputes(ctx context.Context, t *txn) error {
	ids, err := t.idsOfPayment(ctx, kindDispute, p.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		d, err := t.dispute(ctx, id)
		if err != nil {
			return err
		}
		one := reversal{
			ID: id, Time: p.formatTime(time.Unix(d.Created, 0)), Amount: p.money(d.Amount, d.Currency),
			State: p.T("dispute.state." + d.Status), Note: d.Reason,
		}
		for _, way := range []struct{ name, to string }{
			{"review", reviewOf(d)}, {"escalate", disputeOpen}, {"win", disputeWon}, {"lose", disputeLost},
			{"close", disputeWarningClosed},
		} {
			if slices.Contains(disputeSteps[way.to], d.Status) {
				one.Steps = append(one.Steps, p.steps("disputes", id, way.name)...)
			}
		}
		p.Disputes = append(p.Disputes, one)
	}
	return nil
}

// steps returns buttons that post to the control API.
func (p *paymentPage) steps(kind, id string, names ...string) []step {
	var all []step
	for _, name := range names {
		all = append(all, step{ID: name + "-" + id, Path: "/control/" + kind + "/" + id + "/" + name, Label: kind + "." +
			name})
	}
	return all
}
