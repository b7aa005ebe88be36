package stripe

import (
	"context"
	"errors"
)

var payParams = schema{"method": oneOf(methodCard, methodDebit), "email": emailAddress}

// payByControl pays a session as a buyer does on the hosted page.
func (s *Server) payByControl(ctx context.Context, t *txn, cs *session, f form) (any, error) {
	b := buyer{email: f["email"], method: f["method"]}
	switch {
	case b.method == methodDebit && !cs.takesDebit():
		return nil, conflict("no_debit", "Session %s cannot be paid by SEPA debit.", cs.ID)
	case b.email == "" && cs.asksEmail():
		return nil, invalid("parameter_missing", "email", "Missing required param: email.")
	}
	done, err := s.payIn(ctx, t, cs.ID, b)
	if errors.Is(err, errClosed) {
		return nil, conflict("session_not_open", "Session %s is not open.", cs.ID)
	}
	if err != nil {
		return nil, err
	}
	return &done.session, nil
}
