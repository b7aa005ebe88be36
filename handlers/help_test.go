package handlers

import (
	"net/url"
	"strings"
	"testing"
)

// Every page and every error leads to SUPPORT_EMAIL with what support asks for in the subject; without the setting none
// promises an answer.
func TestHelpNamesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	p := f.order(f.user("ada@example.com", 0).ID, "order")
	her := f.member(p.UserID)
	page := "/de/purchase/" + p.ID.String()
	for _, address := range []string{"", "help@example.com"} {
		f.handler.Site.Support = address
		for path, link := range map[string]string{"/de/billing": "#help", page: "#purchase-help",
			"/de/nowhere": "#error-help"} {
			r, doc := her.open(path)
			href, linked := doc.Find(link).Attr("href")
			if linked != (address != "") {
				t.Errorf("%s with SUPPORT_EMAIL %q: a link for help %t, want %t", path, address, linked, !linked)
			}
			if !linked {
				continue
			}
			u, err := url.Parse(href)
			if err != nil || u.Scheme != "mailto" || u.Opaque != address {
				t.Errorf("%s: link for help %q, want an e-mail to %s", path, href, address)
			}
			subject := u.Query().Get("subject")
			for about, want := range map[string]bool{
				p.Number.String(): path == page, r.header.Get("X-Request-ID"): path == "/de/nowhere",
			} {
				if strings.Contains(subject, about) != want {
					t.Errorf("%s: subject %q, names %s: %t, want %t", path, subject, about, !want, want)
				}
			}
		}
	}
}
