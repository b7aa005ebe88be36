package stripe_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Pages state times in the zone of the cookie tz, as the product does; without one, in UTC, and they say so.
func TestPagesShowTheReadersTime(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID, invoiced)
	s.post(t, session.URL, url.Values{"action": {"pay"}})
	in := s.invoiceOf(t, session.ID)
	payment := s.URL() + "/dashboard/payments/" + s.session(t, session.ID).PaymentIntent.ID
	created := time.Unix(in.Created, 0)
	for cookie, name := range map[string]string{"": "UTC", "Nowhere/Else": "UTC", "Local": "UTC",
		"Pacific/Kiritimati": "Pacific/Kiritimati", "Pacific/Pago_Pago": "Pacific/Pago_Pago"} { // a day apart
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		at := created.In(zone).Format("2 Jan 2006, 15:04")
		if zone == time.UTC {
			at += "\u00a0(UTC)"
		}
		day, _, _ := strings.Cut(at, ",")
		for address, want := range map[string]string{in.HostedInvoiceURL: "<dd>" + day + "</dd>", payment: at} {
			req, err := http.NewRequest(http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			if cookie != "" {
				req.AddCookie(&http.Cookie{Name: "tz", Value: cookie})
			}
			answer, err := s.browser.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || !strings.Contains(string(body), want) {
				t.Errorf("tz=%q: %s lacks %q (%v)", cookie, address, want, err)
			}
		}
	}
}
