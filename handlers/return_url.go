package handlers

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// paramReturnURL names the address to which a program wants a buyer back, in JSON and in the purchase page's query.
const paramReturnURL = "returnUrl"

// maxReturnURL limits a return URL, in bytes. Encoded twice within the address of the sign-in, it stays below
// maxReturnTo for what programs send.
const maxReturnURL = 500

// returnURL checks where a program wants a buyer back after the payment: at an allowed site, written as browsers write
// it. Other hosts in any disguise, and characters that browsers read differently, are refused.
// Errors: fault.Invalid.
func (h *Handler) returnURL(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	u, err := url.Parse(address)
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) }
	if err != nil || strings.ContainsFunc(address, odd) || len(address) > maxReturnURL || u.User != nil ||
		u.Opaque != "" || !slices.Contains(h.Site.ReturnOrigins, u.Scheme+"://"+u.Host) {
		return "", fault.Field(paramReturnURL, fault.ReturnURLRefused)
	}
	return address, nil
}

// comingBack adds to a refusal for want of credits where the buyer comes from.
func comingBack(err error, returnURL string) error {
	if f := fault.Of(err); returnURL != "" && f != nil && f.Code == fault.InsufficientCredits {
		return f.With(paramReturnURL, returnURL)
	}
	return err
}

// onward returns the way back from the billing page to the site that sent the buyer; nil without one. The setting may
// have changed since the order, so the address is checked again.
func (h *Handler) onward(address string) *pages.WayBack {
	allowed, err := h.returnURL(address)
	if err != nil || allowed == "" {
		return nil
	}
	u, err := url.Parse(allowed)
	if err != nil {
		return nil
	}
	back := &pages.WayBack{URL: allowed, Site: u.Host}
	site := u.Scheme + "://" + u.Host
	if h.Gate != nil && (site == h.Site.GateURL || h.Site.GateURL == "" && site == h.Site.AppURL && !isOwn(u.Path)) {
		back.Site = ""
	}
	return back
}

// orderReturnURL is returnURL for the purchase page's query.
func (h *Handler) orderReturnURL(c *fiber.Ctx) (string, error) {
	return h.returnURL(queryValue(c, paramReturnURL))
}
