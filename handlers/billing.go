package handlers

import (
	"net/url"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	latestEntries = 5  // movements on the billing page
	usageDays     = 30 // in its picture
	maxPolls      = 30 // how often the page asks before it says that we are waiting for Stripe
	catchUpEvery  = 5  // polls; at the first of them we ask Stripe ourselves
)

// showLanding is GET /{locale}.
func (h *Handler) showLanding(c *fiber.Ctx) error {
	offer, err := h.packages(c)
	if err != nil {
		return err
	}
	features, err := h.features(c, 0)
	if err != nil {
		return err
	}
	data := pages.LandingData{Locale: pageLocale(c), Packages: offer, Features: features, SmallBusiness: h.Site.SmallBusiness}
	if v := currentVisitor(c); v.account != nil {
		data.User = &v.account.User
	}
	return h.render(c, fiber.StatusOK, "landing.title", pages.Landing(data))
}

// showBilling is GET /{locale}/billing, also the page to which Stripe sends buyers back.
func (h *Handler) showBilling(c *fiber.Ctx) error {
	user := currentUser(c)
	back, err := h.returnState(c, user.ID)
	if err != nil {
		return err
	}
	if back != nil && back.Kind == pages.ReturnBooked { // perhaps since the user was read
		account, err := h.Auth.Account(c.UserContext(), user.ID)
		if err != nil {
			return err
		}
		currentVisitor(c).account, user = &account, account.User
	}
	latest, err := h.Ledger.History(c.UserContext(), user.ID, 0, latestEntries)
	if err != nil {
		return err
	}
	usage, err := h.Ledger.Usage(c.UserContext(), user.ID, time.Now().In(components.Zone(c.UserContext())), usageDays)
	if err != nil {
		return err
	}
	features, err := h.features(c, user.Available())
	if err != nil {
		return err
	}
	cover, err := h.cover(c, user)
	if err != nil {
		return err
	}
	return h.render(c, fiber.StatusOK, "billing.title", pages.Billing(pages.BillingData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, User: user, Features: features, Cover: cover,
		Latest: latest.Entries, Usage: usage, Return: back, Sandbox: h.Site.Sandbox,
	}))
}

// cover is what settles the user's debt, or what an empty account can begin with; nil for everybody else.
func (h *Handler) cover(c *fiber.Ctx, user models.User) (*pages.Shortage, error) {
	if user.CreditsBalance > 0 {
		return nil, nil
	}
	offer, err := h.packages(c)
	if err != nil {
		return nil, err
	}
	s := &pages.Shortage{Available: user.Available(), Missing: -user.CreditsBalance}
	s.Offer, s.Quantity = covering(offer, s.Missing)
	return s, nil
}

// returnState says how the purchase stands from which Stripe has just sent the buyer back. The address itself proves
// nothing: credits come from Stripe's event, or, while that is late, from Stripe's own answer about the session.
func (h *Handler) returnState(c *fiber.Ctx, userID int64) (*pages.ReturnState, error) {
	if c.Query("canceled") == "true" {
		latest, _, err := h.Purchase.OfUser(c.UserContext(), userID, uuid.Nil, 1)
		if err != nil {
			return nil, err
		}
		state := &pages.ReturnState{Kind: pages.ReturnCanceled}
		if len(latest) == 1 {
			state.PayURL = h.Purchase.PayURL(latest[0])
		}
		return state, nil
	}
	if c.Query("success") != "true" {
		return nil, nil
	}
	session := c.Query("session_id")
	if session == "" { // nothing is known of such a return
		return nil, nil
	}
	p, err := h.Purchase.BySession(c.UserContext(), userID, session)
	if f := fault.Of(err); f != nil && f.Problem == fault.OtherAccount {
		query := url.Values{"success": {"true"}, "session_id": {session}}
		return &pages.ReturnState{Kind: pages.ReturnElsewhere, ReturnTo: "/" + pageLocale(c) + "/billing?" + query.Encode()}, nil
	}
	if err != nil {
		return nil, err
	}
	attempt := pollOf(c)
	if p.Status == models.PurchasePending && asksStripe(attempt) { // the event is late, or lost
		h.Purchase.RefreshSession(c.UserContext(), session)
		if p, err = h.Purchase.BySession(c.UserContext(), userID, session); err != nil {
			return nil, err
		}
	}
	state := &pages.ReturnState{Purchase: p}
	switch {
	case p.CreditsGranted > 0 && p.CreditsRefunded+p.CreditsDisputed == p.CreditsGranted: // an old address: it has all gone back
		return nil, nil
	case p.Status == models.PurchaseReturned: // nothing was booked, and its page says so
		return nil, nil
	case p.CreditsGranted > 0:
		state.Kind = pages.ReturnBooked
	case p.Status == models.PurchaseFailed || p.Status == models.PurchaseExpired || p.Status.Unbooked():
		state.Kind = pages.ReturnFailed
	case p.Status == models.PurchaseAwaitingPayment || attempt >= maxPolls:
		state.Kind = pages.ReturnWaiting
	default:
		state.Kind = pages.ReturnProcessing
		query := url.Values{"success": {"true"}, "session_id": {session}, "poll": {strconv.Itoa(attempt + 1)}}
		state.PollURL = "/" + pageLocale(c) + "/billing?" + query.Encode()
	}
	return state, nil
}

// pollOf returns how many times the return page has polled so far.
func pollOf(c *fiber.Ctx) int { return int(max(wholeNumber(c.Query("poll")), 0)) }

// asksStripe reports whether we ask Stripe at this poll.
func asksStripe(poll int) bool { return poll%catchUpEvery == 1 }

// trySpend is POST /{locale}/billing/spend: the sandbox's way to try the loop without Resume Matcher.
func (h *Handler) trySpend(c *fiber.Ctx) error {
	if !h.Site.Sandbox {
		return fault.New(fault.NotFound, nil)
	}
	key := formValue(c, "idempotency_key")
	if key == "" {
		return fault.Because(fault.Malformed, fault.KeyMissing)
	}
	_, err := h.Spend.Spend(c.UserContext(), spend.Request{UserID: currentUserID(c), Feature: formValue(c, "feature"), Key: key})
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, "spent")
	return leave(c, "/"+pageLocale(c)+"/billing")
}

// features lists what credits buy, and how often that many credits buy it.
func (h *Handler) features(c *fiber.Ctx, available models.Credits) ([]pages.Feature, error) {
	prices, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return nil, err
	}
	list := make([]pages.Feature, len(prices))
	for i, f := range prices {
		list[i] = pages.Feature{Name: string(f.Feature), Label: f.Label(pageLocale(c)), Credits: f.Credits,
			Times: int64(max(available, 0) / f.Credits), Key: randomKey()}
	}
	return list, nil
}
