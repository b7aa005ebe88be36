package stripe

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// patience bounds Checkout's wait for the webhook's answer. Source: Stripe's fulfilment guide.
	patience    = 10 * time.Second
	maxFormBody = 64 << 10
)

// checkoutPage is the hosted page of an open session.
type checkoutPage struct {
	page
	Action   string
	Attempt  string
	Items    []itemLine
	Total    string
	Email    string // of the buyer, when it is known
	AskEmail bool
	AskTaxID bool
	Debit    bool   // whether it can be paid by SEPA debit
	Control  string // where the session's commands go
	Message  string // the seller's own, beside the button
	Cancel   string
	Error    string
}

type itemLine struct {
	Description string
	About       string // what the product's description adds; not on invoices
	Quantity    int64
	Amount      string
}

// showCheckout serves the payment page.
func (s *Server) showCheckout(w http.ResponseWriter, r *http.Request) {
	cs, items, ok := s.openCheckout(w, r)
	if !ok {
		return
	}
	if reason := cs.closedReason(time.Now()); reason != "" {
		s.closed(w, r, http.StatusOK, reason, cs.Locale, cs.backURL())
		return
	}
	p := checkoutPage{
		page: s.pages.page(cs.Locale, r, "checkout.title"), Action: "/c/pay/" + cs.ID, Attempt: rand.Text(),
		AskEmail: cs.asksEmail(), AskTaxID: cs.TaxIDCollection != nil &&
			cs.TaxIDCollection.Enabled,
		Control: "/control/sessions/" + cs.ID, Debit: cs.takesDebit(),
	}
	for _, one := range items {
		p.Items = append(p.Items, itemLine{one.Description, one.about, one.Quantity,
			p.money(one.AmountSubtotal, one.Currency)})
	}
	if m := cs.CustomText.Submit; m != nil {
		p.Message = m.Message
	}
	p.Total = p.money(cs.AmountTotal, cs.Currency)
	if d := cs.CustomerDetails; d != nil && d.Email != nil {
		p.Email = *d.Email
	}
	if cs.CancelURL != nil {
		p.Cancel = *cs.CancelURL
	}
	_, refused := p.outcome(r)
	p.Error = cmp.Or(p.T("checkout.error."+r.URL.Query().Get("error")), refused)
	s.send(w, http.StatusOK, "checkout.html", p, cs.SuccessURL, p.Cancel)
}

// submitCheckout pays the session or declines the card.
func (s *Server) submitCheckout(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	cs, _, ok := s.openCheckout(w, r)
	if !ok {
		return
	}
	b := buyer{email: strings.TrimSpace(r.PostFormValue("email")), attempt: r.PostFormValue("attempt"), method: methodCard}
	if t := cs.TaxIDCollection; t != nil && t.Enabled {
		b.company, b.taxID = strings.TrimSpace(r.PostFormValue("company")),
			strings.ToUpper(strings.Join(strings.Fields(r.PostFormValue("tax_id")), ""))
	}
	if r.PostFormValue("action") == "debit" {
		b.method = methodDebit
	}
	open := cs.closedReason(time.Now()) == ""
	if problem := cs.problem(r, b); open && problem != "" {
		http.Redirect(w, r, "/c/pay/"+cs.ID+"?error="+problem, http.StatusSeeOther)
		return
	}
	done, err := s.pay(r.Context(), cs.ID, b, caller{RequestID: newID("req_")})
	switch {
	case errors.Is(err, errClosed):
		s.refuseClosed(w, r)
	case err != nil:
		s.showError(w, r, err, cs.Locale)
	default:
		waiting, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := s.deliverer.Await(waiting, done.event); err != nil {
			s.log.Warn("stripe sandbox: wait for the webhook failed", "err", err)
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, done.session.returnURL(), http.StatusSeeOther)
	}
}

// refuseClosed reads the session again: it was open a moment ago.
func (s *Server) refuseClosed(w http.ResponseWriter, r *http.Request) {
	if cs, _, ok := s.openCheckout(w, r); ok {
		reason := cs.closedReason(time.Now())
		s.closed(w, r, http.StatusConflict, reason, cs.Locale, cs.backURL())
	}
}

// openCheckout reads the session in the path and its lines. If it returns false it has answered the request.
func (s *Server) openCheckout(w http.ResponseWriter, r *http.Request) (*session, []item, bool) {
	var cs session
	var back backstage
	var items []item
	ok := s.shown(w, r, kindSession, func(ctx context.Context, t *txn, id string) error {
		if err := t.get(ctx, id, pathParam[kindSession], &cs); err != nil {
			return err
		}
		if err := t.get(ctx, backstageID(id), pathParam[kindSession], &back); err != nil {
			return err
		}
		items = make([]item, len(back.Items))
		for i, raw := range back.Items {
			if err := items[i].load(ctx, t, raw); err != nil {
				return err
			}
		}
		return nil
	})
	return &cs, items, ok
}

// load decodes a line and reads its product's description.
func (i *item) load(ctx context.Context, t *txn, raw json.RawMessage) error {
	if err := json.Unmarshal(raw, i); err != nil {
		return fmt.Errorf("decode line item: %w", err)
	}
	var of product
	id, _ := i.Price["product"].(string)
	if err := t.get(ctx, id, "product", &of); err != nil {
		return err
	}
	if of.Description != nil {
		i.about = *of.Description
	}
	return nil
}

// shown reads what the path names. If it returns false it has answered the request.
func (s *Server) shown(w http.ResponseWriter, r *http.Request, kind string,
	read func(ctx context.Context, t *txn, id string) error) bool {
	id := r.PathValue("id")
	err := s.store.read(r.Context(), func(ctx context.Context, t *txn) error {
		if !storable(id) {
			return missing(kind, "", pathParam[kind])
		}
		return read(ctx, t, id)
	})
	if err != nil {
		s.showError(w, r, err, nil)
	}
	return err == nil
}

// showError answers with an error page.
func (s *Server) showError(w http.ResponseWriter, r *http.Request, err error, locale *string) {
	var refusal *apiError
	if errors.As(err, &refusal) && refusal.code == "resource_missing" {
		s.closed(w, r, http.StatusNotFound, "missing", locale, "")
		return
	}
	s.logError("stripe sandbox: page failed", err, "route", r.Pattern)
	s.closed(w, r, http.StatusInternalServerError, "fault", locale, "")
}

// closedReason says why the session cannot be paid; "" means that it can.
func (cs *session) closedReason(now time.Time) string {
	if cs.Status == statusOpen && cs.ExpiresAt <= now.Unix() {
		return statusExpired
	}
	if cs.Status == statusOpen {
		return ""
	}
	return cs.Status
}

// problem names the error of the form; "" means that it can pay.
func (cs *session) problem(r *http.Request, b buyer) string {
	switch {
	case r.PostFormValue("action") == "decline":
		return "declined"
	case b.method == methodDebit && !cs.takesDebit():
		return "debit"
	case (cs.asksEmail() || b.email != "") && !validEmail(b.email):
		return "email"
	case (b.company == "") != (b.taxID == "") || b.taxID != "" && !vatNumber.MatchString(b.taxID):
		return "tax_id"
	}
	return ""
}

func (cs *session) asksEmail() bool {
	return cs.CustomerDetails == nil || cs.CustomerDetails.Email == nil
}

// returnURL is the address that the buyer is redirected to after paying.
func (cs *session) returnURL() string {
	return strings.ReplaceAll(cs.SuccessURL, placeholderText, cs.ID)
}

// backURL is the address that a page links to when the session cannot be paid.
func (cs *session) backURL() string {
	switch {
	case cs.Status == statusComplete:
		return cs.returnURL()
	case cs.CancelURL != nil:
		return *cs.CancelURL
	default:
		return origin(cs.SuccessURL)
	}
}
