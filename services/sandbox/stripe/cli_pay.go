package stripe

import "context"

// payNow pays a session by card.
func (s *Server) payNow(ctx context.Context, t *txn, id string, b buyer) error {
	b.method = methodCard
	_, err := s.payIn(ctx, t, id, b)
	return err
}

// payLater pays a session by bank debit: it completes unpaid, and then the bank pays or refuses.
func (s *Server) payLater(refused bool) func(context.Context, *txn, string, buyer) error {
	return func(ctx context.Context, t *txn, id string, b buyer) error {
		b.method = methodDebit
		p, err := s.payIn(ctx, t, id, b)
		if err != nil {
			return err
		}
		end := s.settleDebit
		if refused {
			end = s.failDebit
		}
		_, err = end(ctx, t, &call{id: *p.session.PaymentIntent, form: form{}})
		return err
	}
}

// inquire lets the card's bank ask about a payment.
func (s *Server) inquire(ctx context.Context, t *txn, payment string) error {
	_, err := s.openDispute(ctx, t, &call{id: payment, form: form{"status": disputeWarning}})
	return err
}
