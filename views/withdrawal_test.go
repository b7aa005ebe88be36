package views_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/views/pages"
)

func TestMailAddressHasOneRecipient(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"ada@example.com", "ada+credits@example.com", "x&cc=eve@example.com",
		"x?bcc=eve@example.com", "100%25@example.com", "o'hara#1@example.com"} {
		link := pages.MailAddress(to, url.Values{"body": {"You & me"}})
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := url.PathUnescape(u.Opaque)
		if err != nil || recipient != to || strings.ContainsAny(u.Opaque, "&=?;,#/") ||
			u.RawQuery != "body=You%20%26%20me" || u.Fragment != "" {
			t.Errorf("link to %s = %s (%v), want this recipient and the body alone", to, link, err)
		}
	}
}
